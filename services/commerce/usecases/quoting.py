"""What a cart costs now, and what stands against buying it. Carts show it, checkout insists on it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.commerce.domain import coupons as rules
from services.commerce.domain.pricing import Discount, Item, Line, Priced, price
from services.commerce.store import carts, catalogue, coupons
from services.commerce.store.catalogue import Offer
from services.commerce.store.tables import CartLineRow, CartRow, CouponRow
from services.commerce.usecases.problems import CartNotOrderable, refused
from suuupra.db import Transaction
from suuupra.money import Money, MoneyOverflow


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a line cannot be bought as it stands."""

    rule: str
    fix: str
    sold_out: bool = False


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line of the cart with its offer. `priced` is None when it has no price."""

    row: CartLineRow
    offer: Offer
    unit: Money | None
    priced: Line | None
    obstacle: Obstacle | None

    @property
    def before(self) -> Money | None:
        """The unit price that the buyer was shown, when it is another now."""
        if self.unit is None or self.unit.minor == self.row.minor:
            return None
        return Money(self.row.minor, self.unit.currency)


@dataclass(frozen=True, slots=True)
class Quote:
    """A cart at present prices."""

    cart: CartRow
    lines: tuple[QuotedLine, ...]
    coupon: CouponRow | None
    coupon_refusal: rules.Refused | None
    priced: Priced

    @property
    def orderable(self) -> bool:
        """Whether nothing stands against ordering it."""
        lines = self.lines and all(line.obstacle is None and line.before is None for line in self.lines)
        return bool(lines) and self.coupon_refusal is None


async def quote(
    tx: Transaction, cart: CartRow, user_id: UUID | None, now: datetime, *, lock: bool = False
) -> Quote:
    """The cart priced for a user; with `lock` its coupon is locked, to be used."""
    rows = await carts.lines(tx, cart.id)
    offers = await catalogue.offers(tx, [row.variant_id for row in rows], now)
    coupon = await coupons.by_id(tx, cart.coupon_id, lock=lock) if cart.coupon_id else None
    refusal = await _refusal(tx, cart, coupon, offers, user_id, now) if coupon and rows else None
    usable = coupons.coupon_of(coupon) if coupon and refusal is None else None
    items = {row.variant_id: _item(row, offers[row.variant_id], cart.currency, usable) for row in rows}
    sold = [item for item in items.values() if item is not None]
    discount: Discount | None = usable.discount if usable else None
    priced = _priced(sold, cart.currency, discount)
    by_variant = {line.item.variant_id: line for line in priced.lines}
    lines = tuple(_quoted(row, offers[row.variant_id], cart.currency, by_variant) for row in rows)
    return Quote(cart, lines, coupon, refusal, priced)


def _priced(items: list[Item], currency: str, discount: Discount | None) -> Priced:
    try:
        return price(items, currency, discount)
    except MoneyOverflow as error:
        raise refused(CartNotOrderable, "cart.total", f"must fit: {error}", "order it in parts") from error


async def _refusal(
    tx: Transaction,
    cart: CartRow,
    coupon: CouponRow,
    offers: dict[UUID, Offer],
    user_id: UUID | None,
    now: datetime,
) -> rules.Refused | None:
    goods = [rules.Good(offer.product.id, offer.product.owner) for offer in offers.values()]
    uses = await coupons.uses(tx, coupon, user_id)
    return rules.refusal(coupons.coupon_of(coupon), goods, cart.currency, uses, now)


def _item(row: CartLineRow, offer: Offer, currency: str, coupon: rules.Coupon | None) -> Item | None:
    unit = offer.prices.get(currency)
    if unit is None:
        return None
    good = rules.Good(offer.product.id, offer.product.owner)
    discountable = coupon is not None and rules.covers(coupon, good)
    return Item(row.variant_id, unit, row.quantity, offer.product.tax_permille, discountable)


def _quoted(row: CartLineRow, offer: Offer, currency: str, priced: dict[UUID, Line]) -> QuotedLine:
    unit = offer.prices.get(currency)
    obstacle = obstacle_to(offer, row.quantity, currency)
    return QuotedLine(row, offer, unit, priced.get(row.variant_id), obstacle)


def obstacle_to(offer: Offer, quantity: int, currency: str) -> Obstacle | None:
    """Why so many of an offer cannot be bought in a currency now, or None."""
    if not offer.for_sale:
        return Obstacle("must be for sale", "take it out of the cart")
    if currency not in offer.prices:
        having = ", ".join(sorted(offer.prices)) or "none"
        return Obstacle(
            f"must have a price in {currency}", f"use a cart in a currency that it is sold in: {having}"
        )
    if quantity > offer.variant.max_per_order:
        most = offer.variant.max_per_order
        return Obstacle(f"must be at most {most} in one order", f"set its quantity to {most} or less")
    left = offer.seats_left
    if left is not None and left < quantity:
        seats = {0: "no seat is", 1: "one seat is"}.get(left, f"{left} seats are")
        fix = "take it out of the cart" if left == 0 else f"set its quantity to {left} or less"
        return Obstacle(f"must have so many seats left, and {seats}", fix, sold_out=True)
    return None


def title_of(offer: Offer) -> str:
    """What a line is called on the order and the invoice."""
    return f"{offer.product.title} · {offer.variant.title}"
