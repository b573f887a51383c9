"""Accounts and organisations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session as OrmSession

from services.identity.domain.accounts import Account, Membership, Role, email_key
from services.identity.store.tables import AccountRow, MembershipRow, OrganisationRow
from suuupra.db import Transaction

_ACCOUNT: Final = """
SELECT a.id, a.email, a.name, a.locale, a.roles, a.password_hash, a.version, a.created_at, a.changed_at, a.disabled_at,
    coalesce((SELECT json_agg(json_build_array(o.id, o.slug, o.name, m.role) ORDER BY m.joined_at, o.id)
        FROM membership m JOIN organisation o ON o.id = m.organisation_id WHERE m.account_id = a.id), '[]')
FROM account a WHERE
"""
_BY_ID: Final = text(_ACCOUNT + "a.id = :key")
_BY_EMAIL: Final = text(_ACCOUNT + "a.email_key = :key")
_LOCKED: Final = text(_ACCOUNT + "a.id = :key FOR UPDATE OF a")


async def by_id(tx: Transaction, account_id: UUID) -> Account | None:
    """The account."""
    return _account((await tx.execute(_BY_ID, {"key": account_id})).one_or_none())


async def by_email(tx: Transaction, email: str) -> Account | None:
    """The account with that address, however it is written."""
    return _account((await tx.execute(_BY_EMAIL, {"key": email_key(email)})).one_or_none())


async def locked(tx: Transaction, account_id: UUID) -> Account | None:
    """The account, to be changed."""
    return _account((await tx.execute(_LOCKED, {"key": account_id})).one_or_none())


def by_id_now(session: OrmSession, account_id: UUID) -> Account | None:
    """As `by_id`, for authlib's hooks, which do not await."""
    return _account(session.execute(_BY_ID, {"key": account_id}).one_or_none())


def _account(row: Row[Any] | None) -> Account | None:
    if row is None:
        return None
    columns: tuple[Any, ...] = tuple(row)
    id_, email, name, locale, roles, password_hash, version, created_at, changed_at, disabled_at, joined = (
        columns
    )
    memberships = tuple(
        Membership(UUID(organisation), slug, title, role) for organisation, slug, title, role in joined
    )
    return Account(
        id_,
        email,
        name,
        locale,
        tuple(Role(role) for role in roles),
        password_hash,
        version,
        created_at,
        changed_at,
        disabled_at,
        memberships,
    )


def add(tx: Transaction, account: Account) -> None:
    """Keep a new account. Its address must be free: `account_email_key_key`."""
    tx.add(
        AccountRow(
            id=account.id,
            email=account.email,
            email_key=email_key(account.email),
            name=account.name,
            locale=account.locale,
            roles=[str(role) for role in account.roles],
            password_hash=account.password_hash,
            version=account.version,
            created_at=account.created_at,
            changed_at=account.changed_at,
        )
    )


_RENAME: Final = text("""
UPDATE account SET name = :name, locale = :locale, version = version + 1, changed_at = :now WHERE id = :id
""")
_ROLES: Final = text("""
UPDATE account SET roles = :roles, version = version + 1, changed_at = :now WHERE id = :id
""")
_PASSWORD: Final = text("UPDATE account SET password_hash = :hash, changed_at = :now WHERE id = :id")
_REHASH: Final = text("UPDATE account SET password_hash = :new WHERE id = :id AND password_hash = :old")
_DISABLE: Final = text("UPDATE account SET disabled_at = :at, version = version + 1 WHERE id = :id")


async def describe(tx: Transaction, account_id: UUID, name: str, locale: str, now: datetime) -> None:
    """Change what somebody says of themselves."""
    await tx.execute(_RENAME, {"id": account_id, "name": name, "locale": locale, "now": now})


async def set_roles(tx: Transaction, account_id: UUID, roles: Sequence[Role], now: datetime) -> None:
    """Replace the roles."""
    await tx.execute(_ROLES, {"id": account_id, "roles": [str(role) for role in roles], "now": now})


async def set_password(tx: Transaction, account_id: UUID, password_hash: str, now: datetime) -> None:
    """Replace the password."""
    await tx.execute(_PASSWORD, {"id": account_id, "hash": password_hash, "now": now})


async def rehash(tx: Transaction, account_id: UUID, old: str, new: str) -> None:
    """The same password, hashed with newer parameters; nothing if it was changed meanwhile."""
    await tx.execute(_REHASH, {"id": account_id, "old": old, "new": new})


async def set_disabled(tx: Transaction, account_id: UUID, at: datetime | None) -> None:
    """Shut somebody out, or let them in again (None)."""
    await tx.execute(_DISABLE, {"id": account_id, "at": at})


async def organisation(tx: Transaction, slug: str) -> UUID | None:
    """The id of an organisation."""
    found: UUID | None = await tx.scalar(
        text("SELECT id FROM organisation WHERE slug = :slug"), {"slug": slug}
    )
    return found


async def add_organisation(tx: Transaction, id_: UUID, slug: str, name: str, now: datetime) -> None:
    """Keep a new organisation. Its slug must be free: `organisation_slug_key`."""
    tx.add(OrganisationRow(id=id_, slug=slug, name=name, created_at=now))
    await tx.flush()


async def join(tx: Transaction, account_id: UUID, organisation_id: UUID, role: str, now: datetime) -> None:
    """Make somebody a member, or give a member another role there."""
    key = (account_id, organisation_id)
    row = await tx.get(MembershipRow, key)
    if row is None:
        row = MembershipRow(account_id=key[0], organisation_id=key[1], role=role, joined_at=now)
    row.role = role
    tx.add(row)
    await tx.flush()
