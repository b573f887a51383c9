"""An order's timeline: what happened when, with the ids of what took part, so that one id tells the whole story."""

from datetime import datetime
from uuid import UUID

from services.commerce.store import orders as store
from services.commerce.store.tables import OrderEntryRow
from suuupra.db import Transaction
from suuupra.telemetry import current_traceparent


async def tell(
    tx: Transaction, order_id: UUID, at: datetime, what: str, words: str, /, **ids: UUID | str | None
) -> OrderEntryRow:
    """Add an entry and return it: `what` for programs, `words` for people, `ids` by name. The present trace is added by itself."""
    known = {name: str(value) for name, value in ids.items() if value is not None}
    traceparent = current_traceparent()
    if traceparent is not None:
        known["trace_id"] = traceparent.split("-")[1]
    return await store.note(tx, order_id, at, what, words, known)
