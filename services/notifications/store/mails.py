"""Mail on its way: claimed by one sender at a time, with SKIP LOCKED, for a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import text

from services.notifications.contract import Kind
from services.notifications.domain.delivery import CLAIM, KEEP_TRYING, State
from services.notifications.domain.facts import Fact
from suuupra.db import Transaction

BELL: Final = "suuupra_mail"
"""The channel that wakes senders."""

_ADD: Final = text("""
WITH added AS (
    INSERT INTO mail (id, user_id, kind, data, state, next_at, attempts, uncertain, created_at)
    SELECT :id, :user_id, :kind, CAST(:data AS jsonb), CASE WHEN known THEN 'due' ELSE 'waiting' END,
        CASE WHEN known THEN CAST(:now AS timestamptz) ELSE CAST(:give_up_at AS timestamptz) END, 0, 0, :now
    FROM (SELECT EXISTS (SELECT FROM person WHERE user_id = :user_id AND email IS NOT NULL) AS known) it
    ON CONFLICT DO NOTHING RETURNING id)
SELECT pg_notify(:bell, '') FROM added
""")
_LOCK_PERSON: Final = text("SELECT pg_advisory_xact_lock(:space, hashtext(CAST(:user_id AS text)))")
_SPACE: Final = 0x5375_0104
"""First key of the advisory locks that make a mail and its address meet."""
_ADDRESS_KNOWN: Final = text("""
WITH changed AS (
    UPDATE mail SET state = 'due', next_at = :now WHERE user_id = :user_id AND state = 'waiting' RETURNING id)
SELECT pg_notify(:bell, '') FROM changed
""")
# A claim that has ended was of a sender that died, or hung: whether the server took the mail is not known.
_CLAIM: Final = text("""
UPDATE mail SET state = 'sending', attempts = attempts + 1, next_at = :claimed_until,
    uncertain = uncertain + CASE WHEN state = 'sending' THEN 1 ELSE 0 END
WHERE id = (SELECT id FROM mail WHERE state IN ('due', 'sending') AND next_at <= :now
            ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, user_id, kind, data, attempts, uncertain, created_at
""")
_END: Final = text("""
UPDATE mail SET state = :state, sent_at = CASE WHEN :state = 'sent' THEN CAST(:now AS timestamptz) END,
    refusal = :refusal, next_at = :now
WHERE id = :id AND state = 'sending' AND attempts = :attempts
""")
_AGAIN: Final = text("""
UPDATE mail SET state = 'due', next_at = :at WHERE id = :id AND state = 'sending' AND attempts = :attempts
""")
_GIVE_UP: Final = text("UPDATE mail SET state = 'expired' WHERE state = 'waiting' AND next_at <= :now")
_NEXT: Final = text("SELECT min(next_at) FROM mail WHERE state IN ('waiting', 'due', 'sending')")
_COUNTS: Final = text("""
SELECT state, count(*), min(created_at) FROM mail WHERE state IN ('waiting', 'due', 'sending') GROUP BY state
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is this sender's for a while. `attempts` counts this one; it names the claim."""

    id: UUID
    user_id: UUID
    kind: Kind
    data: dict[str, Any]
    attempts: int
    uncertain: int
    created_at: datetime


async def add(tx: Transaction, fact: Fact, data: str, now: datetime) -> None:
    """Have a fact mailed, unless it was before. Without an address it waits for one."""
    await tx.execute(_LOCK_PERSON, {"space": _SPACE, "user_id": fact.user_id})
    times = {"now": now, "give_up_at": now + KEEP_TRYING}
    values = {"id": fact.id, "user_id": fact.user_id, "kind": fact.kind, "data": data, "bell": BELL}
    await tx.execute(_ADD, {**values, **times})


async def address_known(tx: Transaction, user_id: UUID, now: datetime) -> None:
    """What waited for that user's address is due. To be called after the address was kept, in its transaction."""
    await tx.execute(_LOCK_PERSON, {"space": _SPACE, "user_id": user_id})
    await tx.execute(_ADDRESS_KNOWN, {"user_id": user_id, "now": now, "bell": BELL})


async def claim(tx: Transaction, now: datetime) -> Claimed | None:
    """The mail that has been due longest, for this sender alone; None when nothing is due."""
    row = (await tx.execute(_CLAIM, {"now": now, "claimed_until": now + CLAIM})).one_or_none()
    return None if row is None else Claimed(*row)


async def end(
    tx: Transaction, mail: Claimed, state: State, now: datetime, *, refusal: str | None = None
) -> bool:
    """Note how it ended; whether the claim was still this sender's."""
    values = {"id": mail.id, "attempts": mail.attempts, "state": state, "now": now, "refusal": refusal}
    return _changed(await tx.execute(_END, values))


async def again(tx: Transaction, mail: Claimed, at: datetime) -> bool:
    """Let go of it until `at`; whether the claim was still this sender's."""
    return _changed(await tx.execute(_AGAIN, {"id": mail.id, "attempts": mail.attempts, "at": at}))


def _changed(result: object) -> bool:
    return bool(cast("Any", result).rowcount)


async def give_up(tx: Transaction, now: datetime) -> None:
    """End what waited too long for an address."""
    await tx.execute(_GIVE_UP, {"now": now})


async def next_at(tx: Transaction) -> datetime | None:
    """When there is something to do again."""
    found: datetime | None = await tx.scalar(_NEXT)
    return found


async def backlog(tx: Transaction) -> dict[str, tuple[int, datetime]]:
    """By state: how many mails are on their way, and since when the oldest is."""
    return {row[0]: (row[1], row[2]) for row in await tx.execute(_COUNTS)}
