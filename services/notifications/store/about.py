"""What was told of one order, by inbox and by mail."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction

_ABOUT: Final = text("""
SELECT id, 'inbox' AS channel, kind, 'delivered' AS state, 1 AS attempts, created_at, created_at AS sent_at,
    read_at, NULL AS refusal
FROM notification WHERE data ->> 'order_id' = :order_id AND data ? 'order_id'
UNION ALL
SELECT id, 'email', kind, state, attempts, created_at, sent_at, NULL, refusal
FROM mail WHERE data ->> 'order_id' = :order_id AND data ? 'order_id'
ORDER BY created_at, channel, kind, id LIMIT :limit
""")


async def order(tx: Transaction, order_id: UUID, limit: int) -> Sequence[Any]:
    """The messages, the oldest first: id, channel, kind, state, attempts, created_at, sent_at, read_at, refusal."""
    return (await tx.execute(_ABOUT, {"order_id": str(order_id), "limit": limit})).all()
