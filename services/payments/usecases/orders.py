"""What orders want: a payment each, withdrawn when the order ends, refunded when commerce says so."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.commerce.contract import OrderCreated, RefundRequested
from services.payments.domain import attempts
from services.payments.domain import events as e
from services.payments.domain.attempts import Refusal
from services.payments.domain.events import CancelReason, RefundReason
from services.payments.domain.folding import fold
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import REFUSED, Asking, Unrefundable
from services.payments.store import payments as store
from services.payments.usecases.changing import Change
from services.payments.usecases.refunding import refuse, take_refund
from suuupra import failpoints
from suuupra.db import Transaction
from suuupra.ids import new_id
from suuupra.inbox import Reject
from suuupra.money import Money, MoneyError


async def begin(tx: Transaction, orders: Sequence[OrderCreated], now: datetime) -> None:
    """One payment per order, however often it is told. An order that costs nothing has none.

    The same order with another amount is refused: a reused id never passes as a duplicate (check M4).
    """
    events = [_created(order, now) for order in orders if order.total_minor]
    made = [(event, fold([(event, now)])) for event in events]
    if not made:
        return
    new = await store.create(tx, made)
    failpoints.hit("payments.recorded")
    if len(new) < len(made):
        await _check_known(tx, [payment for _, payment in made if payment.id not in new])


def _created(order: OrderCreated, now: datetime) -> e.Created:
    """How long the order waits is its own clock's business; from when on it does is ours (check M19).

    So a clock of commerce's that is an hour off shortens and lengthens nothing here; and the end of the order itself
    comes as an event.
    """
    if order.expires_at <= order.created_at:
        raise Reject(f"order {order.order_id} expires before it is created")
    if not 0 <= order.tax_minor <= order.total_minor:
        raise Reject(f"order {order.order_id} has more tax than it costs")
    try:
        amount = Money(order.total_minor, order.currency)
    except MoneyError as error:
        raise Reject(f"order {order.order_id}: {error}") from error
    if amount.minor < 0:
        raise Reject(f"order {order.order_id} costs less than nothing")
    return e.Created(
        payment_id=new_id(),
        order_id=order.order_id,
        order_number=order.number,
        user_id=order.user_id,
        amount=amount,
        tax_minor=order.tax_minor,
        payable_until=now + (order.expires_at - order.created_at),
    )


async def _check_known(tx: Transaction, repeated: Sequence[Payment]) -> None:
    known = await store.of_orders(tx, [payment.order_id for payment in repeated])
    for payment in repeated:
        before = await store.read(tx, known[payment.order_id])
        told = (payment.amount, payment.user_id, payment.tax_minor)
        if before is None or (before.amount, before.user_id, before.tax_minor) != told:
            raise Reject(f"order {payment.order_id} was created before with other content")


async def end(change: Change, order_id: UUID, why: CancelReason) -> None:
    """The order has ended: its payment takes no money any more, but for what is on its way.

    An order without a payment cost nothing. One that is paid already stays so: commerce hears of it and asks for a
    refund (check M21).
    """
    found = await store.of_orders(change.tx, [order_id])
    if order_id in found:
        payment = await change.locked(found[order_id])
        decided = attempts.cancel(payment, why)
        if not isinstance(decided, Refusal):
            await change.record(payment, decided)


async def refund(change: Change, event: RefundRequested) -> None:
    """Give money back because commerce says so, once per refund id; or tell that it cannot be (refund.failed)."""
    payment = await change.locked(event.payment_id)
    if payment.order_id != event.order_id:
        raise Reject(f"payment {event.payment_id} is not of order {event.order_id}")
    try:
        amount = Money(event.amount_minor, event.currency)
    except MoneyError as error:
        raise Reject(f"refund {event.refund_id}: {error}") from error
    asked = Asking(event.refund_id, amount, RefundReason(event.reason), by="commerce")
    decided = await take_refund(change, payment, asked)
    if isinstance(decided, Unrefundable) and decided in REFUSED:
        await refuse(change, payment, asked, decided)
    elif isinstance(decided, Unrefundable):
        raise Reject(f"refund {event.refund_id} of payment {payment.id}: {decided}")
