"""From a cart to an order: prices are kept as they are, seats and coupon are held, the buyer has some time to pay."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import orders as domain
from services.commerce.domain.invoices import series_at
from services.commerce.settings import Settings
from services.commerce.store import carts as cart_store
from services.commerce.store import catalogue, coupons, owned
from services.commerce.store import orders as store
from services.commerce.store.tables import CartRow, OrderLineRow, OrderRow
from services.commerce.usecases import carts, quoting, reading, settling, views
from services.commerce.usecases.problems import (
    AlreadyOrdered,
    AlreadyYours,
    CartNotOrderable,
    CouponRefused,
    PriceChanged,
    SoldOut,
    refused,
    several,
)
from services.commerce.usecases.quoting import Quote
from services.commerce.usecases.story import tell
from suuupra import outbox, schedule
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import FieldError, invalid
from suuupra.ids import new_id
from suuupra.writing import listed, money

EXPIRE = "order.expire"
"""Scheduled work: an order whose time to be paid is over."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long an order waits, and how its invoice is numbered."""

    lifetime: timedelta
    invoice_series: str
    credit_note_series: str

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """As the settings say."""
        return cls(settings.order_lifetime, settings.invoice_series, settings.credit_note_series)

    def wanted(self, seconds: int | None) -> "Terms":
        """With an order that waits so long, as its buyer asked; not longer, for it keeps seats from others."""
        if seconds is None:
            return self
        if timedelta(seconds=seconds) > self.lifetime:
            rule = f"must be at most {self.lifetime // timedelta(seconds=1)} seconds"
            raise invalid("body.expires_in", rule, "send fewer, or leave it out")
        return replace(self, lifetime=timedelta(seconds=seconds))


async def place(
    tx: Transaction, *, clock: Clock, terms: Terms, user_id: UUID, new: contract.NewOrder
) -> contract.OrderView:
    """Order what is in the cart at the prices that the buyer was shown, or refuse and change nothing."""
    now, terms = clock.now(), terms.wanted(new.expires_in)
    await cart_store.users_turn(tx, user_id)
    cart = await carts.editable(tx, new.cart_id, user_id, now)
    quote = await quoting.quote(tx, cart, user_id, now, lock=True)
    _require_orderable(quote)
    _require_prices(quote, new)
    await _require_new(tx, quote, user_id)
    row, order = await _save(tx, quote, user_id, now, terms)
    lines = await _hold(tx, quote, row)
    _close(cart, user_id, row.id)
    words = f"Ordered {listed([line.title for line in lines])} for {money(quote.priced.total)}"
    entry = await tell(tx, row.id, now, "order.created", words, order_id=row.id, cart_id=row.cart_id)
    if order.state == domain.Draft():
        return await _give(tx, store.Loaded(row, order, ()), terms, now)
    expires_at = now + terms.lifetime
    await schedule.put(tx, EXPIRE, row.id, expires_at, first=True)
    await outbox.append(tx, row.id, _created(row, lines, expires_at), at=now)
    return views.order(store.Loaded(row, order, ()), lines, [], [entry])


def _require_orderable(quote: Quote) -> None:
    if not quote.lines:
        raise refused(
            CartNotOrderable, "body.cart_id", "must be a cart with something in it", "put something in"
        )
    errors = [
        FieldError(f"cart.lines.{line.row.variant_id}", line.obstacle.rule, line.obstacle.fix)
        for line in quote.lines
        if line.obstacle is not None
    ]
    if errors:
        raise several(CartNotOrderable, "Something in the cart cannot be bought as it stands.", errors)
    if quote.coupon_refusal is not None:
        raise refused(CouponRefused, "cart.coupon", quote.coupon_refusal.rule, quote.coupon_refusal.fix)


def _require_prices(quote: Quote, new: contract.NewOrder) -> None:
    errors = [
        FieldError(
            f"cart.lines.{line.row.variant_id}",
            f"was {line.before} when it was put into the cart and is {line.unit} now",
            "put the line again to accept the price, or take it out",
        )
        for line in quote.lines
        if line.before is not None
    ]
    if errors:
        raise several(PriceChanged, "A price changed since it was shown; nothing was ordered.", errors)
    total = quote.priced.total
    if new.total is not None and new.total.money.currency != total.currency:
        rule = f"must be in {total.currency}, the cart's currency"
        raise invalid("body.total.currency", rule, f"send {total.currency}")
    if new.total is not None and new.total.money != total:
        rule = f"must be the cart's present total, {total}"
        raise refused(PriceChanged, "body.total", rule, "show the cart again and ask the buyer")


async def _require_new(tx: Transaction, quote: Quote, user_id: UUID) -> None:
    """Refuse what the user has, or is about to pay: the same variant of a course in a standing or a pending order."""
    wanted = {line.row.variant_id: line for line in quote.lines if line.offer.product.course_id is not None}
    theirs = await owned.bought(tx, user_id, wanted)
    errors = [
        FieldError(
            f"cart.lines.{variant}",
            f"must be new to you; the order {order} opened it",
            "take it out of the cart, and find it among your courses",
        )
        for variant, order in theirs.items()
    ]
    if errors:
        raise several(AlreadyYours, "Something in the cart is yours already.", errors)
    waiting = await owned.ordered(tx, user_id, wanted)
    errors = [
        FieldError(
            f"cart.lines.{variant}",
            f"must not be in an order of yours that waits for its payment; {order} holds it",
            "pay or cancel that order, or take it out of the cart",
        )
        for variant, order in waiting.items()
    ]
    if errors:
        raise AlreadyOrdered(next(iter(waiting.values())), errors)


async def _save(
    tx: Transaction, quote: Quote, user_id: UUID, now: datetime, terms: Terms
) -> tuple[OrderRow, domain.Order]:
    """The order, which waits for its payment; or a draft, when there is nothing to pay."""
    priced = quote.priced
    row = OrderRow(
        id=new_id(),
        number=await store.next_number(tx),
        user_id=user_id,
        cart_id=quote.cart.id,
        currency=priced.total.currency,
        subtotal=priced.subtotal.minor,
        discount=priced.discount.minor,
        tax=priced.tax.minor,
        total=priced.total.minor,
        coupon_code=quote.coupon.code if quote.coupon else None,
        status="draft",
        created_at=now,
    )
    order = domain.Order(row.id, row.currency, row.total, domain.Draft())
    if row.total:
        order = domain.decide_placed(order, now + terms.lifetime)
        store.apply(row, order)
    tx.add(row)
    await tx.flush()
    if quote.coupon is not None:
        await coupons.use(tx, quote.coupon.id, row.id, user_id, now)
    return row, order


async def _hold(tx: Transaction, quote: Quote, row: OrderRow) -> list[OrderLineRow]:
    """The order's lines; limited seats are taken in the order of their variants, so that two orders never deadlock."""
    lines = [_line(line, row.id, place) for place, line in enumerate(quote.lines)]
    for line, quoted in sorted(zip(lines, quote.lines, strict=True), key=lambda pair: pair[0].variant_id):
        if quoted.offer.variant.capacity is None:
            continue
        if not await catalogue.hold_seats(tx, line.variant_id, line.quantity):
            field = f"cart.lines.{line.variant_id}"
            raise refused(SoldOut, field, "must have so many seats left", "look at the cart again")
        line.seats = line.quantity
    tx.add_all(lines)
    await tx.flush()
    return lines


def _line(quoted: quoting.QuotedLine, order_id: UUID, position: int) -> OrderLineRow:
    offer, priced = quoted.offer, quoted.priced
    if priced is None:
        raise ValueError("a line without a price cannot be ordered")
    return OrderLineRow(
        order_id=order_id,
        position=position,
        product_id=offer.product.id,
        variant_id=offer.variant.id,
        course_id=offer.product.course_id,
        title=quoting.title_of(offer),
        quantity=priced.item.quantity,
        unit=priced.item.unit.minor,
        discount=priced.discount.minor,
        tax=priced.tax.minor,
        tax_permille=priced.item.tax_permille,
        total=priced.total.minor,
        sac=offer.product.sac,
    )


def _close(cart: CartRow, user_id: UUID, order_id: UUID) -> None:
    cart.user_id, cart.status, cart.order_id = user_id, "ordered", order_id


async def _give(tx: Transaction, loaded: store.Loaded, terms: Terms, now: datetime) -> contract.OrderView:
    """Fulfil what costs nothing."""
    number = await store.next_document(tx, series_at(terms.invoice_series, now))
    await settling.settle(tx, loaded, domain.Settled(loaded.row.id, now, number), now)
    return await reading.view(tx, loaded.row.id)


def _created(row: OrderRow, lines: list[OrderLineRow], expires_at: datetime) -> contract.OrderCreated:
    return contract.OrderCreated(
        order_id=row.id,
        number=row.number,
        user_id=row.user_id,
        lines=[views.order_line(line) for line in lines],
        currency=row.currency,
        subtotal_minor=row.subtotal,
        discount_minor=row.discount,
        tax_minor=row.tax,
        total_minor=row.total,
        created_at=row.created_at,
        expires_at=expires_at,
    )
