"""What commerce does when payments says what became of money."""

from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import orders as domain
from services.commerce.domain.invoices import series_at
from services.commerce.store import carts, owned
from services.commerce.store import orders as store
from services.commerce.store.tables import OrderPaymentRow, RefundRow
from services.commerce.usecases import settling
from services.commerce.usecases.checkout import EXPIRE, Terms
from services.commerce.usecases.orders import ask_back, told_reason, withdraw
from services.commerce.usecases.story import tell
from services.payments.contract import (
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    RefundFailed,
    SurplusReceived,
    SurplusReturned,
)
from suuupra import outbox, schedule
from suuupra.db import Transaction
from suuupra.events import Meta
from suuupra.ids import new_id
from suuupra.inbox import Reject
from suuupra.money import Money, MoneyError
from suuupra.writing import money, rail


async def succeeded(
    tx: Transaction, event: PaymentSucceeded, meta: Meta, terms: Terms, now: datetime
) -> None:
    """The money is there: the order is paid, or, when it cannot take it, the money goes back (M21)."""
    _check_amount(event)
    loaded = await _order(tx, event.order_id)
    outcome = domain.decide_payment(loaded.order, event.payment_id, event.amount_minor, event.currency)
    match outcome:
        case domain.Known():
            return
        case domain.Impossible(rule):
            raise Reject(f"payment {event.payment_id} of order {event.order_id} {rule}")
        case domain.Accept() if await _theirs_by_another(tx, loaded):
            await _heard(tx, event, meta, "returned")
            refund = domain.Refund(
                new_id(), event.payment_id, event.amount_minor, "already_paid", event.currency
            )
            await ask_back(tx, loaded, refund, "commerce", now)
            ended = replace(loaded.order, state=domain.Canceled(now))
            await withdraw(tx, loaded, ended, "Withdrawn: all of it was bought by another order", now)
        case domain.Accept():
            await _heard(tx, event, meta, "succeeded")
            number = await store.next_document(tx, series_at(terms.invoice_series, now))
            await settling.settle(tx, loaded, domain.Settled(event.payment_id, now, number), now)
            await schedule.cancel(tx, EXPIRE, event.order_id)
        case domain.GiveBack(reason):
            await _heard(tx, event, meta, "returned")
            refund = domain.Refund(new_id(), event.payment_id, event.amount_minor, reason, event.currency)
            await ask_back(tx, loaded, refund, "commerce", now)
        case _ as never:
            assert_never(never)


async def _theirs_by_another(tx: Transaction, loaded: store.Loaded) -> bool:
    """Whether the buyer has everything in the order by another that stands, so that its money buys nothing.

    Two orders that are paid at once are looked at one after the other.
    """
    await carts.users_turn(tx, loaded.row.user_id)
    lines = await store.lines(tx, [loaded.row.id])
    variants = {line.variant_id for line in lines}
    if any(line.course_id is None for line in lines):
        return False
    return variants == set(await owned.bought(tx, loaded.row.user_id, variants, but=loaded.row.id))


def _check_amount(event: PaymentSucceeded) -> None:
    """Money that came is more than nothing, and of a currency that there is."""
    try:
        amount = Money(event.amount_minor, event.currency)
    except MoneyError as error:
        raise Reject(f"payment {event.payment_id}: {error}") from error
    if amount.minor <= 0:
        raise Reject(f"payment {event.payment_id} is of {amount}: amount_minor must be 1 or more")


async def _order(tx: Transaction, order_id: UUID) -> store.Loaded:
    loaded = await store.load(tx, order_id, lock=True)
    if loaded is None:
        raise Reject(f"there is no order {order_id}")
    return loaded


async def _heard(tx: Transaction, event: PaymentSucceeded, meta: Meta, status: str) -> None:
    heard = OrderPaymentRow(
        payment_id=event.payment_id,
        order_id=event.order_id,
        status=status,
        minor=event.amount_minor,
        currency=event.currency,
        at=event.succeeded_at,
    )
    await store.heard_of_payment(tx, heard)
    words = f"{money(Money(event.amount_minor, event.currency))} received by {rail(event.rail)}"
    await _tell(tx, event, meta, event.succeeded_at, "payment.succeeded", words)


async def failed(tx: Transaction, event: PaymentFailed, meta: Meta) -> None:
    """An attempt failed; while the order stands another may follow."""
    await _order(tx, event.order_id)
    heard = OrderPaymentRow(
        payment_id=event.payment_id,
        order_id=event.order_id,
        status="failed",
        code=event.code,
        reason=event.reason,
        at=event.failed_at,
    )
    await store.heard_of_payment(tx, heard)
    words = f"Attempt {event.attempt} to pay failed: {event.reason.rstrip('.')} ({event.code})"
    await _tell(tx, event, meta, event.failed_at, "payment.failed", words)


async def refunded(tx: Transaction, event: PaymentRefunded, meta: Meta, terms: Terms, now: datetime) -> None:
    """Money went back. When all of the order's did, what was bought goes back too."""
    loaded = await _order(tx, event.order_id)
    told = domain.Refund(event.refund_id, event.payment_id, event.amount_minor, "requested", event.currency)
    back = domain.decide_refunded(loaded.order, told, event.refunded_at)
    if back is None:
        return
    own = domain.settled(loaded.order)
    counts = own is not None and own.payment_id == event.payment_id
    number = await store.next_document(tx, series_at(terms.credit_note_series, now)) if counts else None
    await _keep(tx, loaded, back.refund, number, now)
    store.apply(loaded.row, back.order)
    await tx.flush()
    words = f"{money(Money(event.amount_minor, event.currency))} refunded by {rail(event.rail)}"
    await _tell(tx, event, meta, event.refunded_at, "order.refunded", words, credit_note=number)
    revoked = (
        await settling.revoke(tx, loaded.row.user_id, loaded.row.id, now) if counts and back.full else []
    )
    await outbox.append_many(tx, [(loaded.row.id, _refunded(loaded, back)), *revoked], at=now)


async def refund_failed(tx: Transaction, event: RefundFailed, meta: Meta) -> None:
    """A refund cannot be made: no money moved, nothing is taken away, and support may ask for it anew.

    One that payments began by itself is not among the order's refunds, and only told.
    """
    loaded = await _order(tx, event.order_id)
    row = next((one for one in loaded.refunds if one.id == event.refund_id), None)
    if row is not None:
        if domain.decide_refund_failed(loaded.order, event.refund_id, event.failed_at) is None:
            return
        row.failed_at, row.code, row.detail = event.failed_at, event.code, event.reason
        await tx.flush()
    amount = money(Money(event.amount_minor, event.currency))
    await _tell(
        tx,
        event,
        meta,
        event.failed_at,
        "refund.failed",
        f"{amount} could not go back: {event.reason}",
        code=event.code,
    )


async def surplus(tx: Transaction, event: SurplusReceived | SurplusReturned, meta: Meta) -> None:
    """The order was paid a second time by another attempt of its payment, or that is with its payer again.

    Payments gives it back by itself; the order only tells it.
    """
    await _order(tx, event.order_id)
    amount, by = money(Money(event.amount_minor, event.currency)), rail(event.rail)
    match event:
        case SurplusReceived(received_at=at):
            words = f"{amount} came a second time by {by}, and goes back by itself"
        case SurplusReturned(returned_at=at):
            words = f"{amount} that came a second time went back by {by}"
        case _ as never:
            assert_never(never)
    await _tell(tx, event, meta, at, event.type, words)


_Event = PaymentSucceeded | PaymentFailed | PaymentRefunded | RefundFailed | SurplusReceived | SurplusReturned
_IDS: Final = ("payment_id", "surplus_id", "refund_id", "rail_reference", "rrn")


async def _tell(
    tx: Transaction, event: _Event, meta: Meta, at: datetime, what: str, words: str, **more: str | None
) -> None:
    """Add to the order's timeline, with the ids that the event has."""
    ids = {name: getattr(event, name, None) for name in _IDS}
    await tell(tx, event.order_id, at, what, words, **ids, **more, event_id=meta.id)


async def _keep(
    tx: Transaction, loaded: store.Loaded, refund: domain.Refund, credit_note: str | None, now: datetime
) -> None:
    row = next((one for one in loaded.refunds if one.id == refund.id), None)
    if row is None:
        row = RefundRow(
            id=refund.id,
            order_id=loaded.row.id,
            payment_id=refund.payment_id,
            minor=refund.amount_minor,
            currency=refund.currency,
            reason=refund.reason,
            requested_by="payments",
            requested_at=now,
        )
        tx.add(row)
    row.refunded_at, row.failed_at, row.credit_note = refund.done_at, refund.failed_at, credit_note
    await tx.flush()


def _refunded(loaded: store.Loaded, back: domain.WentBack) -> contract.OrderRefunded:
    row, refund = loaded.row, back.refund
    return contract.OrderRefunded(
        order_id=row.id,
        number=row.number,
        user_id=row.user_id,
        payment_id=refund.payment_id,
        refund_id=refund.id,
        amount_minor=refund.amount_minor,
        refunded_total_minor=back.refunded_total_minor,
        currency=refund.currency or row.currency,
        reason=told_reason(refund.reason),
        full=back.full,
        refunded_at=back_at(refund),
    )


def back_at(refund: domain.Refund) -> datetime:
    """When a refund was carried out; ValueError when it was not."""
    if refund.done_at is None:
        raise ValueError("the refund was not carried out")
    return refund.done_at
