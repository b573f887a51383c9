"""Buying: what is in the cart, the order of it, and the attempts to pay. Everything here may be asked twice.

A double click, the back button and a second tab all ask for the order of the same cart, or for the attempt of the same
number; commerce and payments know the question by its key and answer it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.commerce.contract import CartView, OrderStatus, OrderView
from services.web.clients.calling import Away, Refused, SignInNeeded
from services.web.clients.commerce import Commerce
from services.web.clients.payments import Payments, PaymentsAway, events_path
from services.web.domain.paying import MAY_TRY, Checkout, OrderState, Payment, Phase, checkout
from suuupra import errors
from suuupra.amounts import AmountGiven

PREPARED_TRIES: Final = 20
PREPARED_PAUSE_SECONDS: Final = 0.1
"""How long placing an order waits for payments to hear of it, so that the QR code is on the next page."""
WATCHED_SECONDS: Final = 300.0
"""How long one live stream lasts; a page that is still open asks for the next."""
SOON_SECONDS: Final = 0.25
LATER_SECONDS: Final = 2.0
SELDOM_SECONDS: Final = 30.0
"""How often a live stream looks by itself: soon while the next step is ours; seldom while payments would tell, for what
commerce alone does to an order payments hears, and tells, a moment later; else now and then."""

TOO_MANY: Final = "too-many-attempts"
"""Payments' refusal of one attempt more: no attempt ended, so the page would show the same button again."""

_STATES: Final[dict[OrderStatus, OrderState]] = {
    "draft": "pending",
    "pending_payment": "pending",
    "paid": "paid",
    "fulfilled": "paid",
    "canceled": "canceled",
    "expired": "expired",
    "partially_refunded": "partially_refunded",
    "refunded": "refunded",
}


class NothingToOrder(errors.Conflict):
    """The cart is empty or gone."""

    slug = "nothing-to-order"
    title = "There is nothing in the cart"


@dataclass(frozen=True)
class CheckoutView:
    """An order on its way to being paid. `till_away`: payments cannot be asked, which changes nothing of what was paid."""

    order: OrderView
    now: Checkout
    till_away: bool

    @property
    def next_attempt(self) -> int:
        """The number of the attempt that the button begins."""
        return self.now.attempt.number + 1 if self.now.attempt else 1


async def put(shop: Commerce, cart: str | None, variant: UUID, quantity: int, bearer: str | None) -> CartView:
    """Have that many of a variant in the cart; in a new one if there is none that can still take it."""
    found = await shop.cart(cart, bearer)
    if found is None or found.status != "open":
        found = await shop.new_cart(bearer)
    return await shop.put(str(found.id), variant, quantity, bearer)


async def again(shop: Commerce, order: UUID, cart: str | None, bearer: str) -> CartView:
    """What an order held, in the cart once more. What can no longer be bought is left out; the cart says what is there."""
    lines = (await shop.order(order, bearer)).lines
    found = await shop.cart(cart, bearer)
    if found is None or found.status != "open":
        found = await shop.new_cart(bearer)
    for line in lines:
        with suppress(Refused, errors.NotFound):
            found = await shop.put(str(found.id), line.variant_id, line.quantity, bearer)
    return found


async def place(shop: Commerce, cart: str | None, shown: AmountGiven, bearer: str) -> UUID:
    """The order of a cart at the total that was shown; the one there is when the cart was ordered before."""
    found = await shop.cart(cart, bearer)
    if found is None or (found.status == "open" and not found.lines):
        raise NothingToOrder("Put a course into the cart first.")
    if found.order_id is not None:
        return found.order_id
    try:
        return (await shop.order_cart(found, shown, bearer)).id
    except Refused:
        now = await shop.cart(cart, bearer)
        if now is not None and now.order_id is not None:  # another tab was faster
            return now.order_id
        raise  # of a course that an order of theirs holds, the refusal names that order


async def first_attempt(till: Payments, order: UUID, bearer: str) -> None:
    """Begin to pay, if payments hears of the order in time. If not, the checkout's page has a button for it."""
    with suppress(PaymentsAway, Refused, errors.TooManyRequests):
        for _ in range(PREPARED_TRIES):
            payment = await till.of_order(order, bearer)
            if payment is not None:
                if not payment.attempts and not payment.canceled:
                    await till.begin(payment.id, 1, bearer)
                return
            await asyncio.sleep(PREPARED_PAUSE_SECONDS)


async def next_attempt(shop: Commerce, till: Payments, order: UUID, number: int, bearer: str) -> None:
    """Begin the attempt of that number, if the checkout can take it; twice is once."""
    view, payment = await _look(shop, till, order, bearer)
    if view.till_away:
        raise PaymentsAway
    if payment is not None and view.now.phase in MAY_TRY and number == view.next_attempt:
        try:
            await till.begin(payment.id, number, bearer)
        except Refused as refused:
            if refused.answer.slug == TOO_MANY:
                raise
            # it ended, or another tab began one: the page says which


async def look(shop: Commerce, till: Payments, order: UUID, bearer: str) -> CheckoutView:
    """Where a checkout is now."""
    return (await _look(shop, till, order, bearer))[0]


async def _look(
    shop: Commerce, till: Payments, order: UUID, bearer: str
) -> tuple[CheckoutView, Payment | None]:
    found, asked = await asyncio.gather(shop.order(order, bearer), _payment(till, order, bearer))
    payment, away = asked
    now = checkout(_state(found), payment, till_away=away)
    return CheckoutView(found, now, away), payment


def _state(order: OrderView) -> OrderState:
    returned = order.status == "pending_payment" and order.payment == "returned"
    return "returned" if returned else _STATES[order.status]


async def _payment(till: Payments, order: UUID, bearer: str) -> tuple[Payment | None, bool]:
    try:
        return await till.of_order(order, bearer), False
    except (PaymentsAway, errors.TooManyRequests, errors.Forbidden, errors.NotFound):
        return None, True


async def watch(shop: Commerce, till: Payments, order: UUID, bearer: str) -> AsyncIterator[str]:
    """The mark of a checkout now, and whenever it changes, until it is over or the stream has lasted long enough.

    Empty texts in between keep the connection.
    """
    ear = _Ear(asyncio.Event())
    listener: asyncio.Task[None] | None = None
    told, ends = "", asyncio.get_running_loop().time() + WATCHED_SECONDS
    try:
        while asyncio.get_running_loop().time() < ends:
            ear.changed.clear()
            try:
                view, payment = await _look(shop, till, order, bearer)
            except (Away, errors.TooManyRequests):
                yield ""
            except SignInNeeded:
                return  # the token has ended; the page asks again with another
            else:
                yield view.now.mark if view.now.mark != told else ""
                told = view.now.mark
                if view.now.over:
                    return
                if listener is None and payment is not None:
                    listener = asyncio.create_task(_listen(till, payment.id, bearer, ear))
            await _until(ear, told)
    finally:
        if listener is not None:
            listener.cancel()


@dataclass
class _Ear:
    """What is heard of payments: that something changed, and whether payments would tell."""

    changed: asyncio.Event
    hears: bool = False


async def _until(ear: _Ear, told: str) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(pause(told, hears=ear.hears)):
            await ear.changed.wait()


def pause(mark: str, *, hears: bool) -> float:
    """For how many seconds nothing is asked after that mark was told; `hears`: payments would tell of a change."""
    if mark.startswith((Phase.PREPARING.value, Phase.SETTLING.value)):
        return SOON_SECONDS
    return SELDOM_SECONDS if hears else LATER_SECONDS


async def _listen(till: Payments, payment: UUID, bearer: str, ear: _Ear) -> None:
    """Say that something changed at whatever payments tells, and when it stops telling: then `watch` looks by itself."""
    try:
        with suppress(errors.Problem):
            async with till.events(events_path(payment), bearer) as events:
                ear.hears = True
                async for _ in events:
                    ear.changed.set()
    finally:
        ear.hears = False
        ear.changed.set()
