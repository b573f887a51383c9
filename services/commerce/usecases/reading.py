"""An order with everything that belongs to it."""

from uuid import UUID

from services.commerce import contract
from services.commerce.store import orders as store
from services.commerce.usecases import views
from suuupra.db import Transaction
from suuupra.errors import not_found


async def view(tx: Transaction, order_id: UUID) -> contract.OrderView:
    """The order, or 404."""
    await tx.flush()
    loaded = await store.load(tx, order_id)
    if loaded is None:
        raise not_found("order", order_id)
    lines = await store.lines(tx, [order_id])
    payments = await store.payments(tx, order_id)
    return views.order(loaded, lines, payments, await store.timeline(tx, order_id))


async def owned(tx: Transaction, order_id: UUID, user_id: UUID | None, *, lock: bool = False) -> store.Loaded:
    """An order of the user's, or with None anybody's; 404 for another's."""
    loaded = await store.load(tx, order_id, lock=lock)
    if loaded is None or user_id not in (None, loaded.row.user_id):
        raise not_found("order", order_id)
    return loaded
