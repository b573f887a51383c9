"""Rails, the messages to them, and what was received from them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.domain.rails import Outgoing
from services.payments.store.tables import MessageRow, RailRow, ReceivedRow
from suuupra.db import Transaction

WAITING: Final = "payments_rail_messages"
"""NOTIFY channel: there is something to send."""
LEASE: Final = timedelta(seconds=10)
"""How long a message belongs to the process that sends it."""

_CLAIM: Final = text("""
UPDATE rail_message SET attempts = attempts + 1, next_at = :until
WHERE id IN (
    SELECT id FROM rail_message WHERE state = 'waiting' AND next_at <= :now
    ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING id
""")
_NEXT: Final = text("SELECT min(next_at) FROM rail_message WHERE state = 'waiting'")
_RING: Final = text("SELECT pg_notify(:channel, '')")
_OLDEST: Final = text("""
SELECT count(*), min(created_at) FROM rail_message WHERE state = 'waiting' AND useless_after IS NULL
""")


async def all_rails(tx: Transaction, *, removed: bool = False) -> Sequence[RailRow]:
    """Every rail, by name; with those that are gone when `removed`."""
    found = select(RailRow) if removed else select(RailRow).where(col(RailRow.removed_at).is_(None))
    return (await tx.exec(found.order_by(col(RailRow.name)))).all()


async def rail(tx: Transaction, name: str) -> RailRow | None:
    """The rail of that name, even if it is gone: what was paid over it may still have to go back."""
    return await tx.get(RailRow, name)


async def lock_rail(tx: Transaction, name: str) -> RailRow | None:
    """The rail of that name, to be changed."""
    return (await tx.exec(select(RailRow).where(RailRow.name == name).with_for_update())).one_or_none()


async def queue(
    tx: Transaction, message: Outgoing, now: datetime, *, mine: bool, method: str = "POST"
) -> MessageRow:
    """Have a message sent. `mine`: this process sends it as soon as the transaction is over, others only later."""
    row = MessageRow(
        id=message.id,
        rail=message.rail,
        api=message.api,
        payment_id=message.payment_id,
        method=method,
        path=message.path,
        body=message.body,
        state="waiting",
        attempts=int(mine),
        next_at=now + LEASE if mine else now,
        useless_after=message.useless_after,
        created_at=now,
    )
    tx.add(row)
    if not mine:
        await tx.execute(_RING, {"channel": WAITING})
    return row


_DROP: Final = text("""
UPDATE rail_message SET state = 'useless', settled_at = :now
WHERE rail = :rail AND api = :api AND state = 'waiting'
""")


async def drop_waiting(tx: Transaction, rail: str, api: str, now: datetime) -> None:
    """Put aside what waits of one kind."""
    await tx.execute(_DROP, {"rail": rail, "api": api, "now": now})


async def registered_before(tx: Transaction, before: datetime) -> Sequence[str]:
    """Rails whose switch was last told before that time."""
    known = (col(RailRow.registered_at) <= before, col(RailRow.removed_at).is_(None))
    found = select(RailRow.name).where(*known).order_by(RailRow.name)
    return (await tx.exec(found)).all()


async def claim(tx: Transaction, now: datetime, limit: int) -> Sequence[MessageRow]:
    """Messages that are due; they are the caller's for `LEASE`."""
    found = await tx.execute(_CLAIM, {"now": now, "until": now + LEASE, "limit": limit})
    ids = list(found.scalars())
    if not ids:
        return []
    return (await tx.exec(select(MessageRow).where(col(MessageRow.id).in_(ids)))).all()


_ACKNOWLEDGED: Final = text("""
UPDATE rail_message SET state = 'acknowledged', trouble = NULL, settled_at = :now
WHERE id = :id AND state = 'waiting'
""")


async def acknowledged(tx: Transaction, message_id: UUID, now: datetime) -> None:
    """The receiver has a message."""
    await tx.execute(_ACKNOWLEDGED, {"id": message_id, "now": now})


async def next_due(tx: Transaction) -> datetime | None:
    """When the next message is due."""
    due: datetime | None = await tx.scalar(_NEXT)
    return due


async def backlog(tx: Transaction) -> tuple[int, datetime | None]:
    """How many messages wait that must get through, and since when the oldest does."""
    count, oldest = (await tx.execute(_OLDEST)).one()
    return count, oldest


async def lock_message(tx: Transaction, message_id: UUID) -> MessageRow | None:
    """A message that still waits, to be settled."""
    found = select(MessageRow).where(MessageRow.id == message_id, MessageRow.state == "waiting")
    return (await tx.exec(found.with_for_update())).one_or_none()


async def receive(tx: Transaction, row: ReceivedRow) -> ReceivedRow | None:
    """Keep that a message came; what was kept before under its id, or None when it is new."""
    values = row.model_dump()
    kept = insert(ReceivedRow).values(values).on_conflict_do_nothing().returning(col(ReceivedRow.sender))
    if (await tx.execute(kept)).one_or_none() is not None:
        return None
    return await tx.get_one(ReceivedRow, (row.sender, row.message_id))


_TELL: Final = text("""
UPDATE rail_received SET payment_id = :payment_id, what = :what, refusal = :refusal
WHERE sender = :sender AND message_id = :message_id
""")


async def tell(tx: Transaction, received: ReceivedRow) -> None:
    """Note what a received message was about and what became of it."""
    await tx.execute(_TELL, received.model_dump())


async def sent_about(tx: Transaction, payment_id: UUID) -> Sequence[MessageRow]:
    """Messages about a payment."""
    found = select(MessageRow).where(MessageRow.payment_id == payment_id)
    return (await tx.exec(found.order_by(col(MessageRow.created_at)))).all()


async def received_about(tx: Transaction, payment_id: UUID) -> Sequence[ReceivedRow]:
    """Messages that came about a payment."""
    found = select(ReceivedRow).where(ReceivedRow.payment_id == payment_id)
    return (await tx.exec(found.order_by(col(ReceivedRow.received_at)))).all()
