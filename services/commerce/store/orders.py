"""Orders, what belongs to them, and the numbers of documents."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar, assert_never, cast, get_args
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlmodel import col, select

from services.commerce.domain import orders as domain
from services.commerce.domain.invoices import Series
from services.commerce.store.tables import (
    OrderEntryRow,
    OrderLineRow,
    OrderPaymentRow,
    OrderRow,
    RefundRow,
)
from suuupra.db import Transaction

T = TypeVar("T")

_NUMBER: Final = text("SELECT nextval('order_number')")
_DOCUMENT: Final = text("""
INSERT INTO document_series AS d (series, year, last) VALUES (:series, :year, 1)
ON CONFLICT (series, year) DO UPDATE SET last = d.last + 1
RETURNING last
""")
_NOTE: Final = text("""
INSERT INTO order_entry (order_id, sequence, at, what, text, ids)
SELECT :order_id, coalesce(max(sequence), 0) + 1, :at, :what, :text, CAST(:ids AS jsonb)
FROM order_entry WHERE order_id = :order_id
RETURNING sequence
""")
_PAYMENT: Final = text("""
INSERT INTO order_payment AS p (payment_id, order_id, status, minor, currency, code, reason, at)
VALUES (:payment_id, :order_id, :status, :minor, :currency, :code, :reason, :at)
ON CONFLICT (payment_id) DO UPDATE SET status = excluded.status, minor = coalesce(excluded.minor, p.minor),
    currency = coalesce(excluded.currency, p.currency), code = excluded.code, reason = excluded.reason, at = excluded.at
WHERE p.status = 'failed'
""")


@dataclass(frozen=True, slots=True)
class Loaded:
    """An order as decisions see it, beside its rows."""

    row: OrderRow
    order: domain.Order
    refunds: Sequence[RefundRow]


def _state(row: OrderRow) -> domain.State:
    match cast(domain.Status, row.status):
        case "draft":
            return domain.Draft()
        case "pending_payment":
            return domain.PendingPayment(_there(row.expires_at))
        case "canceled":
            return domain.Canceled(_there(row.ended_at))
        case "expired":
            return domain.Expired(_there(row.ended_at))
        case "paid":
            return domain.Paid(_settled(row))
        case "fulfilled":
            return domain.Fulfilled(_settled(row))
        case "partially_refunded":
            return domain.PartiallyRefunded(_settled(row))
        case "refunded":
            return domain.Refunded(_settled(row))
        case _ as never:
            assert_never(never)


def _settled(row: OrderRow) -> domain.Settled:
    return domain.Settled(_there(row.payment_id), _there(row.paid_at), _there(row.invoice_number))


def _there(value: T | None) -> T:
    if value is None:
        raise ValueError("the order's row lacks what its status needs")
    return value


def refund_of(row: RefundRow) -> domain.Refund:
    """The refund that a row holds."""
    if row.reason not in get_args(domain.Reason):
        raise ValueError(f"{row.reason!r} is no reason of a refund")
    reason = cast(domain.Reason, row.reason)
    return domain.Refund(
        row.id, row.payment_id, row.minor, reason, row.currency, row.refunded_at, row.failed_at
    )


def apply(row: OrderRow, order: domain.Order) -> None:
    """Write an order's state into its row."""
    row.status = domain.status_of(order.state)
    paid = domain.settled(order)
    if paid is not None:
        row.payment_id, row.paid_at, row.invoice_number = paid.payment_id, paid.paid_at, paid.invoice_number
    if isinstance(order.state, domain.PendingPayment):
        row.expires_at = order.state.expires_at
    if isinstance(order.state, domain.Canceled | domain.Expired):
        row.ended_at = order.state.at


async def load(tx: Transaction, order_id: UUID, *, lock: bool = False) -> Loaded | None:
    """An order; to be changed when `lock`: changes of one order come one after the other."""
    query = select(OrderRow).where(OrderRow.id == order_id)
    # The consumer's batches share a session: what it loaded before may be older than the lock.
    options = {"populate_existing": True}
    found = await tx.exec(query.with_for_update() if lock else query, execution_options=options)
    row = found.one_or_none()
    if row is None:
        return None
    given_back = await refunds(tx, [order_id])
    order = domain.Order(
        row.id, row.currency, row.total, _state(row), tuple(refund_of(one) for one in given_back)
    )
    return Loaded(row, order, given_back)


async def next_number(tx: Transaction) -> str:
    """A number for people, such as `SO-100042`; numbers may be skipped."""
    return f"SO-{await tx.scalar(_NUMBER)}"


async def next_document(tx: Transaction, series: Series) -> str:
    """The next number of a series: consecutive, because it is taken back when the transaction is.

    Whoever takes one after holds the series until the commit, so take it late.
    """
    return series.number(await tx.scalar(_DOCUMENT, {"series": series.name, "year": series.year}) or 0)


async def note(
    tx: Transaction, order_id: UUID, at: datetime, what: str, words: str, ids: dict[str, str]
) -> OrderEntryRow:
    """Add to the order's timeline; the order is locked."""
    values = {"order_id": order_id, "at": at, "what": what, "text": words}
    sequence = await tx.scalar(_NOTE, {**values, "ids": json.dumps(ids)})
    return OrderEntryRow(order_id=order_id, sequence=sequence, at=at, what=what, text=words, ids=ids)


async def heard_of_payment(tx: Transaction, row: OrderPaymentRow) -> None:
    """Keep what is known of a payment; what succeeded stays."""
    values = {column: getattr(row, column) for column in type(row).model_fields}
    await tx.execute(_PAYMENT, values)


async def lines(tx: Transaction, order_ids: Collection[UUID]) -> Sequence[OrderLineRow]:
    """The lines of orders."""
    query = select(OrderLineRow).where(col(OrderLineRow.order_id).in_(order_ids))
    return (await tx.exec(query.order_by(col(OrderLineRow.order_id), col(OrderLineRow.position)))).all()


async def refunds(tx: Transaction, order_ids: Collection[UUID]) -> Sequence[RefundRow]:
    """The refunds of orders, the oldest first."""
    query = select(RefundRow).where(col(RefundRow.order_id).in_(order_ids))
    return (await tx.exec(query.order_by(col(RefundRow.requested_at), col(RefundRow.id)))).all()


async def payments(tx: Transaction, order_id: UUID) -> Sequence[OrderPaymentRow]:
    """What was heard of an order's payments, the oldest first."""
    query = select(OrderPaymentRow).where(OrderPaymentRow.order_id == order_id)
    return (await tx.exec(query.order_by(col(OrderPaymentRow.at)))).all()


async def timeline(tx: Transaction, order_id: UUID) -> Sequence[OrderEntryRow]:
    """What happened to an order, as it happened: what was heard late stands where it belongs."""
    query = select(OrderEntryRow).where(OrderEntryRow.order_id == order_id)
    return (await tx.exec(query.order_by(col(OrderEntryRow.at), col(OrderEntryRow.sequence)))).all()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which orders a list shows; None of a kind is any."""

    user_id: UUID | None = None
    number: str | None = None
    payment_id: UUID | None = None
    status: str | None = None


async def newest(
    tx: Transaction, wanted: Filter, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[OrderRow]:
    """Orders, the newest first."""
    query = select(OrderRow)
    if wanted.user_id is not None:
        query = query.where(OrderRow.user_id == wanted.user_id)
    if wanted.number is not None:
        query = query.where(OrderRow.number == wanted.number)
    if wanted.status is not None:
        query = query.where(OrderRow.status == wanted.status)
    if wanted.payment_id is not None:
        heard = select(OrderPaymentRow.order_id).where(OrderPaymentRow.payment_id == wanted.payment_id)
        query = query.where(col(OrderRow.id).in_(heard))
    if after is not None:
        query = query.where(tuple_(col(OrderRow.created_at), col(OrderRow.id)) < after)
    order = (col(OrderRow.created_at).desc(), col(OrderRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()
