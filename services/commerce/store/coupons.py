"""Coupons and the orders that use them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text, tuple_
from sqlmodel import col, select

from services.commerce.domain.coupons import Coupon, Uses
from services.commerce.domain.pricing import Fixed, Percent
from services.commerce.store.tables import CouponRow, CouponUseRow
from suuupra.db import Transaction
from suuupra.money import Money

_USED = text("UPDATE coupon SET used = used + 1 WHERE id = :id")
_GIVEN_BACK = text("""
WITH gone AS (DELETE FROM coupon_use WHERE order_id = :order_id RETURNING coupon_id)
UPDATE coupon SET used = used - 1 FROM gone WHERE coupon.id = gone.coupon_id
""")


def coupon_of(row: CouponRow) -> Coupon:
    """The coupon that a row holds."""
    discount = (
        Percent(row.permille)
        if row.permille is not None
        else Fixed(Money(row.minor or 0, row.currency or ""))
    )
    return Coupon(
        id=row.id,
        code=row.code,
        discount=discount,
        owner=None if row.platform else row.owner,
        product_ids=None if row.product_ids is None else frozenset(row.product_ids),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        max_uses=row.max_uses,
        per_user=row.per_user,
        active=row.active,
    )


async def by_code(tx: Transaction, code: str) -> CouponRow | None:
    """The coupon with that code, however its letters were typed."""
    return (await tx.exec(select(CouponRow).where(CouponRow.code == code.upper()))).one_or_none()


async def by_id(tx: Transaction, coupon_id: UUID, *, lock: bool = False) -> CouponRow | None:
    """A coupon; to be used or changed when `lock`: uses come one after the other, so none is one too many."""
    query = select(CouponRow).where(CouponRow.id == coupon_id)
    return (await tx.exec(query.with_for_update() if lock else query)).one_or_none()


async def owned(
    tx: Transaction, owner: str, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[CouponRow]:
    """The coupons of an owner, the newest first."""
    query = select(CouponRow).where(CouponRow.owner == owner)
    if after is not None:
        query = query.where(tuple_(col(CouponRow.created_at), col(CouponRow.id)) < after)
    order = (col(CouponRow.created_at).desc(), col(CouponRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()


async def uses(tx: Transaction, row: CouponRow, user_id: UUID | None) -> Uses:
    """How often it is used by orders that stand."""
    if user_id is None:
        return Uses(row.used, 0)
    query = select(func.count()).where(CouponUseRow.coupon_id == row.id, CouponUseRow.user_id == user_id)
    return Uses(row.used, (await tx.exec(query)).one())


async def use(tx: Transaction, coupon_id: UUID, order_id: UUID, user_id: UUID, at: datetime) -> None:
    """Count an order that uses the coupon; its row is locked."""
    tx.add(CouponUseRow(order_id=order_id, coupon_id=coupon_id, user_id=user_id, used_at=at))
    await tx.flush()
    await tx.execute(_USED, {"id": coupon_id})


async def give_back(tx: Transaction, order_id: UUID) -> None:
    """An order that no longer stands frees its coupon."""
    await tx.execute(_GIVEN_BACK, {"order_id": order_id})
