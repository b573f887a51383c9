"""Those who have not confirmed their address, letters and their links, and wrong passwords."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.identity.domain.accounts import email_key
from services.identity.domain.letters import Kind
from services.identity.store.tables import LetterRow, LinkRow, SignupRow
from suuupra.db import Transaction
from suuupra.ids import new_id


@dataclass(frozen=True, slots=True)
class Signup:
    """Somebody who wants an account."""

    id: UUID
    email: str
    name: str
    locale: str
    password_hash: str
    browser_hash: bytes
    return_to: str | None
    tries: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """What stands behind a link that somebody opened."""

    kind: Kind
    email: str
    signup_id: UUID | None
    account_id: UUID | None
    expires_at: datetime


def add(tx: Transaction, signup: Signup) -> None:
    """Keep it until it is confirmed or expires."""
    tx.add(
        SignupRow(
            id=signup.id,
            email=signup.email,
            email_key=email_key(signup.email),
            name=signup.name,
            locale=signup.locale,
            password_hash=signup.password_hash,
            browser_hash=signup.browser_hash,
            return_to=signup.return_to,
            tries=signup.tries,
            created_at=signup.created_at,
            expires_at=signup.expires_at,
        )
    )


_LOCK: Final = text("""
SELECT id, email, name, locale, password_hash, browser_hash, return_to, tries, created_at, expires_at
FROM signup WHERE id = :id FOR UPDATE
""")


async def locked(tx: Transaction, signup_id: UUID) -> Signup | None:
    """A sign-up, to be confirmed."""
    row = (await tx.execute(_LOCK, {"id": signup_id})).one_or_none()
    return Signup(*row) if row else None


async def count_try(tx: Transaction, signup_id: UUID) -> None:
    """One more wrong password."""
    await tx.execute(text("UPDATE signup SET tries = tries + 1 WHERE id = :id"), {"id": signup_id})


async def remove_all(tx: Transaction, email: str) -> None:
    """Forget every sign-up of an address, with its letters and links: it has an account now."""
    await tx.execute(text("DELETE FROM signup WHERE email_key = :key"), {"key": email_key(email)})


# Letters


async def letters_since(tx: Transaction, kind: Kind, email: str, since: datetime) -> int:
    """How many letters of a kind to an address were asked for since then."""
    query = text(
        "SELECT count(*) FROM letter WHERE email_key = :key AND created_at > :since AND kind = :kind"
    )
    return int(await tx.scalar(query, {"key": email_key(email), "since": since, "kind": kind.value}) or 0)


async def add_letter(
    tx: Transaction,
    kind: Kind,
    *,
    email: str,
    name: str,
    locale: str,
    now: datetime,
    signup_id: UUID | None = None,
    account_id: UUID | None = None,
) -> UUID:
    """A letter to be sent; its id."""
    row = LetterRow(
        id=new_id(),
        kind=kind,
        email=email,
        email_key=email_key(email),
        name=name,
        locale=locale,
        signup_id=signup_id,
        account_id=account_id,
        created_at=now,
    )
    tx.add(row)
    await tx.flush()
    return row.id


async def letter(tx: Transaction, letter_id: UUID) -> LetterRow | None:
    """A letter to be sent; None when what it was about is gone."""
    return await tx.get(LetterRow, letter_id)


async def add_link(tx: Transaction, letter_id: UUID, hash_: bytes, expires_at: datetime) -> None:
    """Keep the token of a letter that is about to be sent."""
    tx.add(LinkRow(hash=hash_, letter_id=letter_id, expires_at=expires_at))
    await tx.flush()


_OPEN: Final = text("""
SELECT letter.kind, letter.email, letter.signup_id, letter.account_id, link.expires_at
FROM link JOIN letter ON letter.id = link.letter_id WHERE link.hash = :hash
""")


async def opened(tx: Transaction, hash_: bytes) -> Opened | None:
    """What a token stands for."""
    row = (await tx.execute(_OPEN, {"hash": hash_})).one_or_none()
    return Opened(Kind(row[0]), *row[1:]) if row else None


async def remove_links(tx: Transaction, account_id: UUID) -> None:
    """Make every link to an account useless: one of them was used."""
    query = text(
        "DELETE FROM link USING letter WHERE letter.id = link.letter_id AND letter.account_id = :account"
    )
    await tx.execute(query, {"account": account_id})


# Wrong passwords

_FAIL: Final = text("""
INSERT INTO login_failure AS f (email_key, count, since) VALUES (:key, 1, :now)
ON CONFLICT (email_key) DO UPDATE SET
    count = CASE WHEN f.since <= :start THEN 1 ELSE f.count + 1 END,
    since = CASE WHEN f.since <= :start THEN :now ELSE f.since END
""")


async def failures(tx: Transaction, email: str, start: datetime) -> tuple[int, datetime]:
    """How many wrong passwords were given for an address since `start`, and since when."""
    query = text("SELECT count, since FROM login_failure WHERE email_key = :key AND since > :start")
    row = (await tx.execute(query, {"key": email_key(email), "start": start})).one_or_none()
    return (row[0], row[1]) if row else (0, start)


async def count_failure(tx: Transaction, email: str, now: datetime, window: timedelta) -> None:
    """One more wrong password."""
    await tx.execute(_FAIL, {"key": email_key(email), "now": now, "start": now - window})


async def forget_failures(tx: Transaction, email: str) -> None:
    """The right password."""
    await tx.execute(text("DELETE FROM login_failure WHERE email_key = :key"), {"key": email_key(email)})
