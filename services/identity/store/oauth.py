"""Clients, grants, codes and tokens. Plain calls, not awaited: authlib makes them, inside `Transaction.run_sync`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session
from sqlmodel import select

from services.identity.domain.clients import Client, Kind
from services.identity.domain.grants import Code, Grant, RefreshToken
from services.identity.store.tables import ClientRow, CodeRow, GrantRow, RefreshRow


def client(session: Session, client_id: str) -> Client | None:
    """A registered client."""
    row = session.get(ClientRow, client_id)
    return _client(row) if row else None


def clients(session: Session) -> Sequence[Client]:
    """Every client, by id."""
    return [_client(row) for row in session.scalars(select(ClientRow).order_by(ClientRow.id))]


def _client(row: ClientRow) -> Client:
    return Client(
        id=row.id,
        name=row.name,
        kind=cast(Kind, row.kind),
        grant_types=tuple(row.grant_types),
        redirect_uris=tuple(row.redirect_uris),
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
        scopes=tuple(row.scopes),
        secret_hash=row.secret_hash,
        introspects=row.introspects,
    )


_REGISTER: Final = text("""
INSERT INTO client (id, name, kind, secret_hash, grant_types, redirect_uris, post_logout_redirect_uris, scopes,
    introspects, created_at)
VALUES (:id, :name, :kind, :secret_hash, :grant_types, :redirect_uris, :post_logout_redirect_uris, :scopes,
    :introspects, :now)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, secret_hash = excluded.secret_hash,
    grant_types = excluded.grant_types, redirect_uris = excluded.redirect_uris,
    post_logout_redirect_uris = excluded.post_logout_redirect_uris, scopes = excluded.scopes,
    introspects = excluded.introspects
""")


def register(session: Session, client: Client, now: datetime) -> None:
    """Keep a client, in place of what was kept under its id."""
    values = {
        "id": client.id,
        "name": client.name,
        "kind": client.kind,
        "secret_hash": client.secret_hash,
        "grant_types": list(client.grant_types),
        "redirect_uris": list(client.redirect_uris),
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris),
        "scopes": list(client.scopes),
        "introspects": client.introspects,
        "now": now,
    }
    session.execute(_REGISTER, values)


_GRANT_COLUMNS: Final = """
g.id, g.client_id, g.account_id, g.session_id, g.scope, g.auth_time, g.amr, g.created_at, g.expires_at, g.revoked_at
"""
_CODE: Final = text(f"""
SELECT c.hash, c.redirect_uri, c.nonce, c.code_challenge, c.expires_at, c.used_at, {_GRANT_COLUMNS}
FROM authorization_code c JOIN token_grant g ON g.id = c.grant_id WHERE c.hash = :hash FOR UPDATE OF c
""")  # noqa: S608 - columns of our own
_REFRESH: Final = text(f"""
SELECT r.hash, r.expires_at, r.used_at, {_GRANT_COLUMNS}
FROM refresh_token r JOIN token_grant g ON g.id = r.grant_id WHERE r.hash = :hash
""")  # noqa: S608 - columns of our own
_REFRESH_LOCKED: Final = text(f"{_REFRESH} FOR UPDATE OF r SKIP LOCKED")
_GRANT: Final = text(f"SELECT {_GRANT_COLUMNS} FROM token_grant g WHERE g.id = :id")  # noqa: S608


def _grant(columns: Sequence[Any]) -> Grant:
    id_, client_id, account_id, session_id, scope, auth_time, amr, *times = columns
    return Grant(id_, client_id, account_id, session_id, scope, auth_time, tuple(amr), *times)


def add_grant(session: Session, grant: Grant) -> None:
    """Keep a grant."""
    session.add(
        GrantRow(
            id=grant.id,
            client_id=grant.client_id,
            account_id=grant.account_id,
            session_id=grant.session_id,
            scope=grant.scope,
            auth_time=grant.auth_time,
            amr=list(grant.amr),
            created_at=grant.created_at,
            expires_at=grant.expires_at,
        )
    )
    session.flush()


def add_code(session: Session, code: Code) -> None:
    """Keep a code, with its grant."""
    add_grant(session, code.grant)
    session.add(
        CodeRow(
            hash=code.hash,
            grant_id=code.grant.id,
            redirect_uri=code.redirect_uri,
            nonce=code.nonce,
            code_challenge=code.code_challenge,
            expires_at=code.expires_at,
        )
    )
    session.flush()


def code(session: Session, hash_: bytes) -> Code | None:
    """A code, locked: whoever else redeems it waits, and then finds it used."""
    row = session.execute(_CODE, {"hash": hash_}).one_or_none()
    if row is None:
        return None
    found, redirect_uri, nonce, challenge, expires_at, used_at, *grant = row
    return Code(found, _grant(grant), redirect_uri, nonce, challenge, expires_at, used_at)


def use_code(session: Session, hash_: bytes, now: datetime) -> None:
    """Note that a code was redeemed."""
    session.execute(
        text("UPDATE authorization_code SET used_at = :now WHERE hash = :hash"), {"hash": hash_, "now": now}
    )


def add_refresh(session: Session, hash_: bytes, grant_id: UUID, expires_at: datetime) -> None:
    """Keep a refresh token."""
    session.add(RefreshRow(hash=hash_, grant_id=grant_id, expires_at=expires_at))
    session.flush()


def refresh(session: Session, hash_: bytes) -> RefreshToken | None:
    """A refresh token, as it is."""
    return _refresh(session.execute(_REFRESH, {"hash": hash_}).one_or_none())


def _refresh(row: Sequence[Any] | None) -> RefreshToken | None:
    return RefreshToken(row[0], _grant(row[3:]), row[1], row[2]) if row else None


def locked_refresh(session: Session, hash_: bytes) -> RefreshToken | None:
    """A refresh token, to redeem it; None when it is not there, or another request is redeeming it now."""
    return _refresh(session.execute(_REFRESH_LOCKED, {"hash": hash_}).one_or_none())


def use_refresh(session: Session, hash_: bytes, now: datetime) -> None:
    """Note that a refresh token was redeemed."""
    session.execute(
        text("UPDATE refresh_token SET used_at = :now WHERE hash = :hash"), {"hash": hash_, "now": now}
    )


def grant(session: Session, grant_id: UUID) -> Grant | None:
    """A grant."""
    row = session.execute(_GRANT, {"id": grant_id}).one_or_none()
    return _grant(row) if row else None


_REVOKE: Final = text("""
UPDATE token_grant SET revoked_at = :now, revoked_because = :because WHERE id = :id AND revoked_at IS NULL
""")


def revoke_grant(session: Session, grant_id: UUID, now: datetime, because: str) -> bool:
    """Revoke all that came of a grant; whether it was not revoked before."""
    done = session.execute(_REVOKE, {"id": grant_id, "now": now, "because": because})
    return cast("CursorResult[Any]", done).rowcount == 1


def revoke_token(session: Session, jti: str, expires_at: datetime) -> None:
    """Revoke one access token before its time."""
    query = text(
        "INSERT INTO revoked_token (jti, expires_at) VALUES (:jti, :expires_at) ON CONFLICT DO NOTHING"
    )
    session.execute(query, {"jti": jti, "expires_at": expires_at})


def is_revoked(session: Session, jti: str) -> bool:
    """Whether one access token was revoked."""
    query = text("SELECT EXISTS (SELECT FROM revoked_token WHERE jti = :jti)")
    return bool(session.execute(query, {"jti": jti}).scalar_one())
