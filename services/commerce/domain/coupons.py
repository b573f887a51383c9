"""Whether a coupon may be used, and for which lines."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.commerce.domain.pricing import Discount, Fixed


@dataclass(frozen=True, slots=True)
class Coupon:
    """What a coupon takes off, and who may use it when.

    `owner`: whose products it is for; None for everybody's. `product_ids`: which of them; None for all.
    `starts_at` is the first instant it is valid, `ends_at` the first it is no longer. `max_uses` counts orders that
    stand (expired and canceled ones give their use back), `per_user` those of one user; None is without limit.
    """

    id: UUID
    code: str
    discount: Discount
    owner: str | None
    product_ids: frozenset[UUID] | None
    starts_at: datetime | None
    ends_at: datetime | None
    max_uses: int | None
    per_user: int | None
    active: bool


@dataclass(frozen=True, slots=True)
class Uses:
    """How often it was used, by all and by the user who asks (0 for somebody who is not signed in)."""

    total: int
    by_user: int


@dataclass(frozen=True, slots=True)
class Good:
    """A line's product, as far as coupons care."""

    product_id: UUID
    owner: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, and what to do."""

    rule: str
    fix: str


_WITHOUT = "take it off the cart, or use another"


def covers(coupon: Coupon, good: Good) -> bool:
    """Whether the coupon is for that product."""
    return (coupon.owner is None or coupon.owner == good.owner) and (
        coupon.product_ids is None or good.product_id in coupon.product_ids
    )


def refusal(coupon: Coupon, goods: list[Good], currency: str, uses: Uses, now: datetime) -> Refused | None:
    """None when the coupon may be used for a cart of `goods` in `currency`."""
    if not coupon.active:
        return Refused("must be a coupon that is offered", _WITHOUT)
    if coupon.starts_at is not None and now < coupon.starts_at:
        return Refused(f"is valid only from {coupon.starts_at.isoformat()} on", "use it then")
    if coupon.ends_at is not None and now >= coupon.ends_at:
        return Refused(f"was valid until {coupon.ends_at.isoformat()}", _WITHOUT)
    if isinstance(coupon.discount, Fixed) and coupon.discount.amount.currency != currency:
        return Refused(
            f"is a coupon in {coupon.discount.amount.currency}, the cart is in {currency}", _WITHOUT
        )
    if not any(covers(coupon, good) for good in goods):
        return Refused("must be for something in the cart", "add what it is for, or take it off the cart")
    if coupon.max_uses is not None and uses.total >= coupon.max_uses:
        return Refused("has been used as often as it may be", _WITHOUT)
    if coupon.per_user is not None and uses.by_user >= coupon.per_user:
        times = "once" if coupon.per_user == 1 else f"{coupon.per_user} times"
        return Refused(f"may be used {times} by each learner", _WITHOUT)
    return None
