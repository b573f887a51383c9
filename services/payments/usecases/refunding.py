"""Refunds: taken in, sent to the rail, followed until the payer has the money."""

from services.payments.domain import refunds
from services.payments.domain.payment import Payment, Refund
from services.payments.domain.refunds import Asking, Unrefundable
from services.payments.usecases.changing import Change

Asked = Asking


async def take_refund(change: Change, payment: Payment, asked: Asking) -> Payment | Unrefundable:
    """Take a refund of a locked payment in and send it, both in this transaction; told again, nothing happens."""
    decided = refunds.request_refund(payment, asked)
    if isinstance(decided, Unrefundable):
        return decided
    payment = await change.record(payment, decided)
    return await send(change, payment, found(payment, asked)) if decided else payment


async def send(change: Change, payment: Payment, refund: Refund) -> Payment:
    """Ask the rail of the attempt that was paid, under a transaction of its own."""
    if payment.success is None:
        return payment
    rail = await change.rails.named(change.tx, payment.success.rail)
    events = refunds.send_refund(refund, rail.new_transaction(), rail.rules, change.now)
    return await change.record(payment, events)


def found(payment: Payment, asked: Asking) -> Refund:
    """The refund as the payment has it."""
    refund = payment.refund(asked.refund_id)
    if refund is None:
        raise LookupError(f"payment {payment.id} has no refund {asked.refund_id}")
    return refund
