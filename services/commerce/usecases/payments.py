"""What commerce does when payments says what became of money."""

from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import orders as domain
from services.commerce.domain.invoices import series_at
from services.commerce.store import orders as store
from services.commerce.store.tables import OrderPaymentRow, RefundRow
from services.commerce.usecases import settling
from services.commerce.usecases.checkout import EXPIRE, Terms
from services.commerce.usecases.orders import ask_back
from services.commerce.usecases.story import tell
from services.payments.contract import PaymentFailed, PaymentRefunded, PaymentSucceeded
from suuupra import outbox, schedule
from suuupra.db import Transaction
from suuupra.events import Meta
from suuupra.ids import new_id
from suuupra.inbox import Reject
from suuupra.money import Money
from suuupra.writing import money, rail


async def succeeded(
    tx: Transaction, event: PaymentSucceeded, meta: Meta, terms: Terms, now: datetime
) -> None:
    """The money is there: the order is paid, or, when it cannot take it, the money goes back (M21)."""
    loaded = await _order(tx, event.order_id)
    outcome = domain.decide_payment(loaded.order, event.payment_id, event.amount_minor, event.currency)
    match outcome:
        case domain.Known():
            return
        case domain.Mismatch(rule):
            raise Reject(f"payment {event.payment_id} of order {event.order_id}: the amount {rule}")
        case domain.Accept():
            await _heard(tx, event, meta, "succeeded")
            number = await store.next_document(tx, series_at(terms.invoice_series, now))
            await settling.settle(tx, loaded, domain.Settled(event.payment_id, now, number), now)
            await schedule.cancel(tx, EXPIRE, event.order_id)
        case domain.GiveBack(reason):
            await _heard(tx, event, meta, "returned")
            refund = domain.Refund(new_id(), event.payment_id, event.amount_minor, reason)
            await ask_back(tx, loaded, refund, "commerce", now)
        case _ as never:
            assert_never(never)


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
        at=event.succeeded_at,
    )
    await store.heard_of_payment(tx, heard)
    amount = money(Money(event.amount_minor, event.currency))
    words = f"{amount} received by {rail(event.rail)}"
    await tell(
        tx,
        event.order_id,
        event.succeeded_at,
        "payment.succeeded",
        words,
        payment_id=event.payment_id,
        rail_reference=event.rail_reference,
        rrn=event.rrn,
        event_id=meta.id,
    )


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
    await tell(
        tx,
        event.order_id,
        event.failed_at,
        "payment.failed",
        words,
        payment_id=event.payment_id,
        event_id=meta.id,
    )


async def refunded(tx: Transaction, event: PaymentRefunded, meta: Meta, terms: Terms, now: datetime) -> None:
    """Money went back. When all of the order's did, what was bought goes back too."""
    loaded = await _order(tx, event.order_id)
    told = domain.Refund(event.refund_id, event.payment_id, event.amount_minor, "requested")
    back = domain.decide_refunded(loaded.order, told, event.refunded_at)
    if back is None:
        return
    own = domain.settled(loaded.order)
    counts = own is not None and own.payment_id == event.payment_id
    number = await store.next_document(tx, series_at(terms.credit_note_series, now)) if counts else None
    await _keep(tx, loaded, back.refund, number, now)
    store.apply(loaded.row, back.order)
    await tx.flush()
    amount = money(Money(event.amount_minor, event.currency))
    words = f"{amount} refunded by {rail(event.rail)}"
    await tell(
        tx,
        event.order_id,
        event.refunded_at,
        "order.refunded",
        words,
        refund_id=event.refund_id,
        payment_id=event.payment_id,
        credit_note=number,
        rrn=event.rrn,
        event_id=meta.id,
    )
    revoked = (
        await settling.revoke(tx, loaded.row.user_id, loaded.row.id, now) if counts and back.full else []
    )
    await outbox.append_many(tx, [(loaded.row.id, _refunded(loaded, back)), *revoked], at=now)


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
            reason=refund.reason,
            requested_by="payments",
            requested_at=now,
        )
        tx.add(row)
    row.refunded_at, row.credit_note = refund.done_at, credit_note
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
        currency=row.currency,
        reason=refund.reason,
        full=back.full,
        refunded_at=back_at(refund),
    )


def back_at(refund: domain.Refund) -> datetime:
    """When a refund was carried out; ValueError when it was not."""
    if refund.done_at is None:
        raise ValueError("the refund was not carried out")
    return refund.done_at
