"""Browsers in which somebody has signed in before, and the wrong passwords that were given there."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.identity.domain.accounts import email_key
from suuupra.db import Transaction

_FAILURES: Final = text("""
SELECT CASE WHEN b.since > :start THEN b.count ELSE 0 END, b.since
FROM known_browser b JOIN account a ON a.id = b.account_id WHERE b.hash = :hash AND a.email_key = :key
""")
_FAIL: Final = text("""
UPDATE known_browser b SET
    count = CASE WHEN b.since <= :start THEN 1 ELSE b.count + 1 END,
    since = CASE WHEN b.since <= :start THEN :now ELSE b.since END
FROM account a WHERE a.id = b.account_id AND b.hash = :hash AND a.email_key = :key
""")
_REMEMBER: Final = text("""
INSERT INTO known_browser (hash, account_id, count, since, seen_at) VALUES (:hash, :account, 0, :now, :now)
ON CONFLICT (hash, account_id) DO UPDATE SET count = 0, since = :now, seen_at = :now
""")


async def failures(tx: Transaction, hash_: bytes, email: str, start: datetime) -> tuple[int, datetime] | None:
    """How many wrong passwords were given in a browser since `start`, and since when; None where it is not known."""
    values = {"hash": hash_, "key": email_key(email), "start": start}
    row = (await tx.execute(_FAILURES, values)).one_or_none()
    return (row[0], row[1]) if row else None


async def count_failure(tx: Transaction, hash_: bytes, email: str, now: datetime, window: timedelta) -> None:
    """One more wrong password, in a browser that is known."""
    await tx.execute(_FAIL, {"hash": hash_, "key": email_key(email), "now": now, "start": now - window})


async def knows(tx: Transaction, hash_: bytes) -> bool:
    """Whether anybody has signed in there."""
    return bool(
        await tx.scalar(text("SELECT EXISTS (SELECT FROM known_browser WHERE hash = :h)"), {"h": hash_})
    )


async def remember(tx: Transaction, hash_: bytes, account_id: UUID, now: datetime) -> None:
    """They have signed in there; it is counted anew."""
    await tx.execute(_REMEMBER, {"hash": hash_, "account": account_id, "now": now})


async def forget(tx: Transaction, account_id: UUID) -> None:
    """Know no browser of theirs."""
    await tx.execute(text("DELETE FROM known_browser WHERE account_id = :account"), {"account": account_id})
