"""Carts: of anybody who knows their id until a user claims them, then of that user."""

from datetime import datetime, timedelta
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import coupons as rules
from services.commerce.domain.carts import MOST_LINES, Wanted, merged
from services.commerce.store import carts, catalogue, coupons
from services.commerce.store.tables import CartRow
from services.commerce.usecases import quoting, views
from services.commerce.usecases.problems import CartNotOrderable, CartOrdered, CouponRefused, SoldOut, refused
from suuupra import schedule
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import Problem, invalid, not_found

FORGET = "cart.forget"
"""Scheduled work: forget a cart that nobody touches."""


async def begin(
    tx: Transaction, clock: Clock, user_id: UUID | None, currency: str, asked: str | None, kept: timedelta
) -> tuple[contract.CartView, bool]:
    """A new cart in the `asked` currency or the default one; or the user's open one. Also whether it is new."""
    now = clock.now()
    row = await carts.open_cart_of(tx, user_id) if user_id is not None else None
    if row is not None:
        await _change_currency(tx, row, asked)
        return await view(tx, row, user_id, now), False
    row = CartRow(
        id=carts.unguessable_id(),
        user_id=user_id,
        currency=asked or currency,
        created_at=now,
        updated_at=now,
    )
    tx.add(row)
    await tx.flush()
    await schedule.put(tx, FORGET, row.id, now + kept)
    return await view(tx, row, user_id, now), True


async def _change_currency(tx: Transaction, row: CartRow, asked: str | None) -> None:
    if asked is None or asked == row.currency:
        return
    if await carts.lines(tx, row.id):
        rule = f"must be {row.currency}, the currency of your open cart, while something is in it"
        raise refused(CartNotOrderable, "body.currency", rule, "empty the cart, or go on in its currency")
    row.currency = asked


async def view(tx: Transaction, row: CartRow, user_id: UUID | None, now: datetime) -> contract.CartView:
    """The cart at present prices."""
    await tx.flush()
    return views.cart(await quoting.quote(tx, row, user_id, now))


async def visible(tx: Transaction, cart_id: UUID, user_id: UUID | None, *, lock: bool = False) -> CartRow:
    """A cart that the caller may use; 404 for what is not there, merged away, or another user's."""
    row = await carts.cart(tx, cart_id, lock=lock)
    if row is None or row.status == "merged" or row.user_id not in (None, user_id):
        raise not_found("cart", cart_id)
    return row


async def editable(tx: Transaction, cart_id: UUID, user_id: UUID | None, now: datetime) -> CartRow:
    """As `visible`, locked and open; CartOrdered when it became an order."""
    row = await visible(tx, cart_id, user_id, lock=True)
    if row.status == "ordered" and row.order_id is not None:
        raise CartOrdered(row.order_id)
    row.updated_at = now
    return row


async def put_line(
    tx: Transaction, clock: Clock, user_id: UUID | None, cart_id: UUID, variant_id: UUID, quantity: int
) -> contract.CartView:
    """Have the cart hold so many of a variant at its present price."""
    now = clock.now()
    row = await editable(tx, cart_id, user_id, now)
    offer = (await catalogue.offers(tx, [variant_id], now)).get(variant_id)
    if offer is None:
        raise not_found("variant", variant_id)
    obstacle = quoting.obstacle_to(offer, quantity, row.currency)
    if obstacle is not None:
        kind = SoldOut if obstacle.sold_out else CartNotOrderable
        raise refused(kind, "path.variant_id", obstacle.rule, obstacle.fix)
    present = {line.variant_id for line in await carts.lines(tx, cart_id)}
    if variant_id not in present and len(present) >= MOST_LINES:
        rule = f"must leave the cart with at most {MOST_LINES} lines"
        raise refused(CartNotOrderable, "path.variant_id", rule, "order what is in the cart first")
    await carts.put_line(tx, cart_id, variant_id, quantity, offer.prices[row.currency].minor, now)
    return await view(tx, row, user_id, now)


async def remove_line(
    tx: Transaction, clock: Clock, user_id: UUID | None, cart_id: UUID, variant_id: UUID
) -> contract.CartView:
    """Have the cart hold none of a variant."""
    now = clock.now()
    row = await editable(tx, cart_id, user_id, now)
    await carts.remove_line(tx, cart_id, variant_id)
    return await view(tx, row, user_id, now)


async def set_coupon(
    tx: Transaction, clock: Clock, user_id: UUID | None, cart_id: UUID, code: str
) -> contract.CartView:
    """Use a coupon. Whether the user used it before is asked again at checkout, when there is a user for certain."""
    now = clock.now()
    row = await editable(tx, cart_id, user_id, now)
    coupon = await coupons.by_code(tx, code)
    if coupon is None:
        raise invalid("body.code", "must be a coupon that is there", "look at how it is written")
    row.coupon_id = coupon.id
    refusal = (await quoting.quote(tx, row, user_id, now)).coupon_refusal
    if refusal is not None:
        raise _refused(refusal)
    return await view(tx, row, user_id, now)


def _refused(refusal: rules.Refused) -> Exception:
    return refused(CouponRefused, "body.code", refusal.rule, refusal.fix)


async def drop_coupon(
    tx: Transaction, clock: Clock, user_id: UUID | None, cart_id: UUID
) -> contract.CartView:
    """Use no coupon."""
    now = clock.now()
    row = await editable(tx, cart_id, user_id, now)
    row.coupon_id = None
    return await view(tx, row, user_id, now)


async def claim(tx: Transaction, clock: Clock, user_id: UUID, cart_id: UUID) -> contract.CartView:
    """Make an anonymous cart the user's: it becomes their cart, or its lines join those of the one they have.

    Claiming again answers the same. Prices of two currencies do not add up: of two carts in different ones that with
    something in it decides, and while both have something they stay what they are, and the claim is refused.
    """
    now = clock.now()
    await carts.users_turn(tx, user_id)
    row = await carts.cart(tx, cart_id, lock=True)
    if row is not None and row.status == "merged" and row.merged_into is not None:
        row = await carts.cart(tx, row.merged_into, lock=True)
        if row is not None and row.user_id is None:
            row = None
    if row is None or row.user_id not in (None, user_id):
        raise not_found("cart", cart_id)
    if row.user_id is None and row.status == "open":
        row = await _join(tx, row, user_id, now)
    return await view(tx, row, user_id, now)


async def _join(tx: Transaction, anonymous: CartRow, user_id: UUID, now: datetime) -> CartRow:
    own = await carts.open_cart_of(tx, user_id)
    anonymous.updated_at = now
    if own is None:
        anonymous.user_id = user_id
        return anonymous
    kept, joining = await _wanted(tx, own), await _wanted(tx, anonymous)
    if own.currency != anonymous.currency and kept and joining:
        raise _two_currencies(own.currency)
    if joining or own.currency == anonymous.currency:
        own.currency = anonymous.currency
        own.coupon_id = anonymous.coupon_id or own.coupon_id
        await carts.replace_lines(tx, own.id, merged(kept, joining), now)
    own.updated_at = now
    anonymous.status, anonymous.merged_into = "merged", own.id
    return own


def _two_currencies(own: str) -> Problem:
    rule = f"must be a cart in {own}, as your open cart, while something is in both"
    return refused(
        CartNotOrderable, "path.cart_id", rule, "order or empty one of the two, then claim it again"
    )


async def _wanted(tx: Transaction, row: CartRow) -> list[Wanted]:
    return [Wanted(line.variant_id, line.quantity, line.minor) for line in await carts.lines(tx, row.id)]


async def forget(tx: Transaction, clock: Clock, cart_id: UUID, kept: timedelta) -> None:
    """Forget a cart that nobody touched for so long; look again later when somebody did."""
    row = await carts.cart(tx, cart_id, lock=True)
    if row is None:
        return
    due = row.updated_at + kept
    if due > clock.now():
        await schedule.put(tx, FORGET, cart_id, due)
    else:
        await carts.delete(tx, row)
