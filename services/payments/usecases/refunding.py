"""Refunds: taken in, sent to the rail, followed until the payer has the money."""

from collections.abc import Sequence

from services.payments.domain import events as e
from services.payments.domain import refunds
from services.payments.domain.events import PaymentEvent, RefundReason
from services.payments.domain.payment import Payment, Refund
from services.payments.domain.refunds import Asking, Unrefundable
from services.payments.usecases.changing import Change
from suuupra.ids import new_id


async def take_refund(change: Change, payment: Payment, asked: Asking) -> Payment | Unrefundable:
    """Take a refund of a locked payment in and send it, both in this transaction; told again, nothing happens."""
    decided = refunds.request_refund(payment, asked)
    if isinstance(decided, Unrefundable):
        return decided
    payment = await change.record(payment, decided)
    return await send(change, payment, found(payment, asked)) if decided else payment


async def send(change: Change, payment: Payment, refund: Refund) -> Payment:
    """Ask the rail over which the money came, under a transaction of its own."""
    came = payment.receipt(refund.surplus)
    if came is None:
        return payment
    rail = await change.rails.named(change.tx, came.rail)
    events = refunds.send_refund(refund, rail.new_transaction(), rail.rules, change.now)
    return await change.record(payment, events)


async def return_surpluses(change: Change, payment: Payment, events: Sequence[PaymentEvent]) -> Payment:
    """Give back what `events` say came beyond the payment, in their transaction: by itself, and once."""
    for event in events:
        if isinstance(event, e.SurplusReceived):
            reason = RefundReason.PAID_TWICE
            asked = Asking(new_id(), payment.amount, reason, "payments", event.transaction)
            taken = await take_refund(change, payment, asked)
            payment = payment if isinstance(taken, Unrefundable) else taken
    return payment


async def refuse(change: Change, payment: Payment, asked: Asking, why: Unrefundable) -> None:
    """Tell who asked that a refund cannot be made; nothing of it was sent."""
    await change.record(payment, refunds.refuse_refund(asked, why))


def found(payment: Payment, asked: Asking) -> Refund:
    """The refund as the payment has it."""
    refund = payment.refund(asked.refund_id)
    if refund is None:
        raise LookupError(f"payment {payment.id} has no refund {asked.refund_id}")
    return refund
