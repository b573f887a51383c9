"""What a user has bought, and what they are about to: by the variant of a course, in which order."""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction

_BOUGHT: Final = text("""
SELECT DISTINCT ON (l.variant_id) l.variant_id, l.order_id
FROM entitlement e JOIN order_line l ON l.order_id = e.order_id AND l.course_id = e.course_id
WHERE e.user_id = :user_id AND e.revoked_at IS NULL AND l.variant_id = ANY(:variants)
    AND e.order_id IS DISTINCT FROM CAST(:but AS uuid)
ORDER BY l.variant_id, e.granted_at, l.order_id
""")
_ORDERED: Final = text("""
SELECT DISTINCT ON (l.variant_id) l.variant_id, l.order_id
FROM orders o JOIN order_line l ON l.order_id = o.id
WHERE o.user_id = :user_id AND o.status = 'pending_payment' AND l.variant_id = ANY(:variants)
ORDER BY l.variant_id, o.created_at, o.id
""")


async def bought(
    tx: Transaction, user_id: UUID, variants: Collection[UUID], but: UUID | None = None
) -> Mapping[UUID, UUID]:
    """Of these variants, those by which a standing order other than `but` opened a course to the user; which order."""
    values = {"user_id": user_id, "variants": list(variants), "but": but}
    return {row.variant_id: row.order_id for row in await tx.execute(_BOUGHT, values)}


async def ordered(tx: Transaction, user_id: UUID, variants: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Of these variants, those that an order of the user's holds while it waits for its payment; which order.

    An order whose time is over counts until the clock has let it expire: a payment still pays it.
    """
    values = {"user_id": user_id, "variants": list(variants)}
    return {row.variant_id: row.order_id for row in await tx.execute(_ORDERED, values)}
