"""Events and a handler, for tests of the way from outbox to effect."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction
from suuupra.events import Event, Meta


class Counted(Event):
    """Something was counted."""

    type: ClassVar[str] = "kit.counted"
    number: int


class Closed(Event):
    """The count of an aggregate is closed."""

    type: ClassVar[str] = "kit.closed"
    number: int


_RECORD = text("INSERT INTO effect (id, aggregate_id, number) VALUES (:id, :aggregate_id, :number)")


async def record(tx: Transaction, event: Counted | Closed, meta: Meta) -> None:
    """The effect: one row each time it happens."""
    await tx.execute(_RECORD, {"id": meta.id, "aggregate_id": meta.subject, "number": event.number})


async def effects(tx: Transaction) -> list[tuple[UUID, str, int]]:
    """All effects in the order they happened."""
    rows = await tx.execute(text("SELECT id, aggregate_id, number FROM effect ORDER BY position"))
    return [(row.id, row.aggregate_id, row.number) for row in rows]
