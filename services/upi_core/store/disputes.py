"""Dispute items: what only people can settle (UDIR)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction
from suuupra.ids import new_id

_OPEN: Final = text("""
INSERT INTO dispute (id, txn_id, kind, amount_minor, raised_by, reason, opened_at, due_at)
VALUES (:id, :txn_id, :kind, :minor, :raised_by, :reason, :now, :due_at)
ON CONFLICT (txn_id, kind) DO UPDATE SET reason = dispute.reason RETURNING id
""")
_RESOLVE: Final = text("""
UPDATE dispute SET resolved_at = :now, resolution = :resolution
WHERE txn_id = :txn_id AND resolved_at IS NULL AND kind = ANY(:kinds)
""")
_NEWEST: Final = text("""
SELECT d.id, d.txn_id, d.kind, d.amount_minor, d.raised_by, d.reason, d.opened_at, d.due_at, d.resolved_at, d.resolution,
    t.payer_bank, t.payee_bank, t.rrn
FROM dispute d JOIN txn t ON t.id = d.txn_id
WHERE (CAST(:opened_at AS timestamptz) IS NULL OR (d.opened_at, d.id) < (:opened_at, CAST(:id AS uuid)))
    AND (NOT :open OR d.resolved_at IS NULL)
ORDER BY d.opened_at DESC, d.id DESC LIMIT :limit
""")
_OF: Final = text(
    "SELECT id, kind, reason, opened_at, resolved_at FROM dispute WHERE txn_id = :id ORDER BY opened_at"
)


async def open_item(
    tx: Transaction,
    txn_id: str,
    kind: str,
    minor: int,
    *,
    raised_by: str,
    reason: str,
    now: datetime,
    due_at: datetime,
) -> UUID:
    """The item of that kind of the transaction; there is one, however often it is opened."""
    values = {"id": new_id(), "txn_id": txn_id, "kind": kind, "minor": minor, "raised_by": raised_by}
    found: UUID | None = await tx.scalar(_OPEN, {**values, "reason": reason, "now": now, "due_at": due_at})
    if found is None:
        raise LookupError("an upsert gave no row")
    return found


async def resolve(tx: Transaction, txn_id: str, kinds: Sequence[str], resolution: str, now: datetime) -> None:
    """What happened since answers them."""
    await tx.execute(_RESOLVE, {"txn_id": txn_id, "kinds": list(kinds), "resolution": resolution, "now": now})


async def newest(
    tx: Transaction, *, only_open: bool, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Any]:
    """A page of all items, the newest first."""
    opened_at, item = after or (None, None)
    values = {"open": only_open, "opened_at": opened_at, "id": item, "limit": limit}
    return (await tx.execute(_NEWEST, values)).all()


async def of_transaction(tx: Transaction, txn_id: str) -> Sequence[Any]:
    return (await tx.execute(_OF, {"id": txn_id})).all()
