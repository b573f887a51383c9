"""What happens when a time has come and nobody has said anything."""

from uuid import UUID

from services.payments.domain import attempts, refunds
from services.payments.store import payments as store
from services.payments.usecases import refunding
from services.payments.usecases.changing import Change


async def expire_attempt(change: Change, reference: str) -> None:
    """The payer's time is over."""
    found = await store.attempt_of(change.tx, reference)
    if found is not None:
        payment = await change.locked(found[0])
        await change.record(payment, attempts.expire_attempt(payment, found[1], change.now))


async def follow_attempt(change: Change, reference: str) -> None:
    """The rail has not told how an attempt ended."""
    found = await store.attempt_of(change.tx, reference)
    if found is None:
        return
    payment = await change.locked(found[0])
    rail = await change.rails.named(change.tx, payment.attempt(found[1]).rail)
    await change.record(payment, attempts.follow_attempt(payment, found[1], rail.rules, change.now))


async def follow_refund(change: Change, refund_id: UUID) -> None:
    """The rail has not told how a refund ended."""
    payment_id = await store.refund_of(change.tx, refund_id)
    if payment_id is None:
        return
    payment = await change.locked(payment_id)
    refund = payment.refund(refund_id)
    came = payment.receipt(refund.surplus) if refund else None
    if refund is not None and came is not None:
        rail = await change.rails.named(change.tx, came.rail)
        await change.record(payment, refunds.follow_refund(refund, rail.rules, change.now))


async def retry_refund(change: Change, refund_id: UUID) -> None:
    """A refund's next try is due."""
    payment_id = await store.refund_of(change.tx, refund_id)
    if payment_id is None:
        return
    payment = await change.locked(payment_id)
    refund = payment.refund(refund_id)
    if refund is not None:
        await refunding.send(change, payment, refund)
