"""Who is signed in."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.identity.domain.authorization import Session
from services.identity.store.tables import SessionRow
from suuupra.db import Transaction

_FIND: Final = text("""
SELECT s.id, s.account_id, s.auth_time, s.amr, s.fresh_for
FROM sso_session s JOIN account a ON a.id = s.account_id
WHERE s.hash = :hash AND s.ended_at IS NULL AND s.expires_at > :now AND a.disabled_at IS NULL
""")


def add(tx: Transaction, session: Session, hash_: bytes, now: datetime, expires_at: datetime) -> None:
    """Keep a new session, to be found by the hash of its cookie."""
    tx.add(
        SessionRow(
            id=session.id,
            hash=hash_,
            account_id=session.account_id,
            auth_time=session.auth_time,
            amr=list(session.amr),
            fresh_for=session.fresh_for,
            created_at=now,
            expires_at=expires_at,
        )
    )


async def find(tx: Transaction, hash_: bytes, now: datetime) -> Session | None:
    """The session of a cookie, unless it is over."""
    row = (await tx.execute(_FIND, {"hash": hash_, "now": now})).one_or_none()
    return Session(row[0], row[1], row[2], tuple(row[3]), row[4]) if row else None


async def settle(tx: Transaction, session_id: UUID) -> None:
    """Forget for which request somebody signed in: it has been answered."""
    query = text("UPDATE sso_session SET fresh_for = NULL WHERE id = :id AND fresh_for IS NOT NULL")
    await tx.execute(query, {"id": session_id})


_END: Final = text("UPDATE sso_session SET ended_at = :now WHERE id = :id AND ended_at IS NULL")
_END_GRANTS: Final = text("""
UPDATE token_grant SET revoked_at = :now, revoked_because = 'signed out'
WHERE session_id = :id AND revoked_at IS NULL AND NOT ('offline_access' = ANY (string_to_array(scope, ' ')))
""")
_END_ALL: Final = text(
    "UPDATE sso_session SET ended_at = :now WHERE account_id = :account AND ended_at IS NULL"
)
_REVOKE_ALL: Final = text("""
UPDATE token_grant SET revoked_at = :now, revoked_because = :because WHERE account_id = :account AND revoked_at IS NULL
""")


async def end(tx: Transaction, session_id: UUID, now: datetime) -> None:
    """Sign out, and revoke what was granted for no longer than the session."""
    await tx.execute(_END, {"id": session_id, "now": now})
    await tx.execute(_END_GRANTS, {"id": session_id, "now": now})


async def end_all(tx: Transaction, account_id: UUID, now: datetime, because: str) -> None:
    """Sign somebody out everywhere, and revoke all that was granted in their name."""
    await tx.execute(_END_ALL, {"account": account_id, "now": now})
    await tx.execute(_REVOKE_ALL, {"account": account_id, "now": now, "because": because})
