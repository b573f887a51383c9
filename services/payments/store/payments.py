"""Payments: their events, which are only ever added, and the fold beside them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlmodel import col, select

from services.payments.domain import events as e
from services.payments.domain.events import PaymentEvent, canonical
from services.payments.domain.folding import fold
from services.payments.domain.payment import Payment
from services.payments.store.tables import AttemptRow, PaymentRow, RefundRow, TransactionRow
from suuupra.db import Transaction

CHANGED: Final = "payments_changed"
"""NOTIFY channel: the id of a payment that has changed."""

Recorded = tuple[PaymentEvent, datetime]

_LOCK: Final = text("SELECT 1 FROM payment WHERE id = :id FOR UPDATE")
_HISTORY: Final = text("""
SELECT sequence, type, data::text AS data, at FROM payment_event WHERE payment_id = :id ORDER BY sequence
""")
_SAVE: Final = text("""
WITH added AS (
    INSERT INTO payment_event (payment_id, sequence, type, data, at)
    SELECT :id, :version + ordinal, type, CAST(data AS json), :at
    FROM unnest(CAST(:types AS text[]), CAST(:data AS text[])) WITH ORDINALITY AS t (type, data, ordinal))
UPDATE payment SET status = :status, version = :after, state = CAST(:state AS json), updated_at = :at
WHERE id = :id AND version = :version
RETURNING pg_notify(:channel, CAST(id AS text))
""")
_STATE: Final = text("SELECT state::text FROM payment WHERE id = :id")


class HistoryMoved(RuntimeError):
    """Somebody changed the payment while it was locked by us: a fault of ours."""


async def lock(tx: Transaction, payment_id: UUID) -> Payment | None:
    """The payment, to be changed: changes of one payment happen one after the other. Folded from its events."""
    if await tx.scalar(_LOCK, {"id": payment_id}) is None:
        return None
    return fold([(event, at) for _, event, at in await history(tx, payment_id)])


async def history(tx: Transaction, payment_id: UUID) -> list[tuple[int, PaymentEvent, datetime]]:
    """The events of a payment: sequence, event, time."""
    rows = (await tx.execute(_HISTORY, {"id": payment_id})).all()
    return [(row.sequence, e.parse(row.data), row.at) for row in rows]


async def save(
    tx: Transaction, before: Payment, events: Sequence[PaymentEvent], after: Payment, at: datetime
) -> None:
    """Add what happened to the locked payment `before`, and keep what it is now."""
    values = {
        "id": before.id,
        "version": before.version,
        "types": [event.type for event in events],
        "data": [canonical(event) for event in events],
        "after": after.version,
        "status": after.status,
        "state": canonical(after),
        "at": at,
        "channel": CHANGED,
    }
    if (await tx.execute(_SAVE, values)).one_or_none() is None:
        raise HistoryMoved(f"payment {before.id} is not at version {before.version}")


_CREATE: Final = text("""
WITH given AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS uuid[]), CAST(:users AS uuid[]),
        CAST(:statuses AS text[]), CAST(:amounts AS bigint[]), CAST(:currencies AS text[]),
        CAST(:states AS text[]), CAST(:data AS text[]), CAST(:times AS timestamptz[]))
    AS t (id, order_id, user_id, status, amount, currency, state, data, at)),
new AS (
    INSERT INTO payment (id, order_id, user_id, status, amount, currency, version, state, created_at, updated_at)
    SELECT id, order_id, user_id, status, amount, currency, 1, CAST(state AS json), at, at
    FROM given ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING RETURNING id),
begun AS (
    INSERT INTO payment_event (payment_id, sequence, type, data, at)
    SELECT given.id, 1, 'created', CAST(given.data AS json), given.at FROM given JOIN new USING (id))
SELECT id FROM new
""")


async def create(tx: Transaction, made: Sequence[tuple[e.Created, Payment]]) -> set[UUID]:
    """Keep new payments, in one statement however many; the ids of those whose order had none yet."""
    payments = [payment for _, payment in made]
    values = {
        "ids": [payment.id for payment in payments],
        "orders": [payment.order_id for payment in payments],
        "users": [payment.user_id for payment in payments],
        "statuses": [str(payment.status) for payment in payments],
        "amounts": [payment.amount.minor for payment in payments],
        "currencies": [payment.amount.currency for payment in payments],
        "states": [canonical(payment) for payment in payments],
        "data": [canonical(event) for event, _ in made],
        "times": [payment.created_at for payment in payments],
    }
    return set((await tx.execute(_CREATE, values)).scalars())


async def read(tx: Transaction, payment_id: UUID) -> Payment | None:
    """The payment as it was kept, to be shown."""
    state = await tx.scalar(_STATE, {"id": payment_id})
    return None if state is None else Payment.model_validate_json(state)


async def kept(tx: Transaction, payment_id: UUID) -> str | None:
    """The fold of a payment, as it is kept."""
    state: str | None = await tx.scalar(_STATE, {"id": payment_id})
    return state


async def of_orders(tx: Transaction, orders: Iterable[UUID]) -> dict[UUID, UUID]:
    """Order → its payment."""
    found = select(PaymentRow.order_id, PaymentRow.id).where(col(PaymentRow.order_id).in_(list(orders)))
    return dict((await tx.exec(found)).all())


async def newest(
    tx: Transaction,
    user_id: UUID | None,
    order_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Payment]:
    """Payments, the newest first: of a user, of an order, or all."""
    query = select(PaymentRow.id, PaymentRow.created_at)
    if user_id is not None:
        query = query.where(PaymentRow.user_id == user_id)
    if order_id is not None:
        query = query.where(PaymentRow.order_id == order_id)
    if after is not None:
        query = query.where(tuple_(col(PaymentRow.created_at), col(PaymentRow.id)) < after)
    order = (col(PaymentRow.created_at).desc(), col(PaymentRow.id).desc())
    ids = [row[0] for row in await tx.exec(query.order_by(*order).limit(limit))]
    states = await tx.execute(_STATES, {"ids": ids})
    found = {row.id: Payment.model_validate_json(row.state) for row in states}
    return [found[payment_id] for payment_id in ids]


_STATES: Final = text("SELECT id, state::text AS state FROM payment WHERE id = ANY(:ids)")
_PAGE: Final = text("""
SELECT id, version, state::text AS state FROM payment WHERE id > :after ORDER BY id LIMIT :limit
""")


async def kept_after(tx: Transaction, after: UUID, limit: int) -> list[tuple[UUID, int, str]]:
    """Folds as they are kept (id, version, JSON), by id: to be compared with what the events make."""
    rows = await tx.execute(_PAGE, {"after": after, "limit": limit})
    return [(row.id, row.version, row.state) for row in rows]


_REBUILD: Final = text("""
UPDATE payment SET status = :status, version = :version, state = CAST(:state AS json), updated_at = :at
WHERE id = :id
""")


async def rebuild(tx: Transaction, payment: Payment) -> None:
    """Replace the kept fold by what the events make."""
    values = {"id": payment.id, "status": payment.status, "version": payment.version}
    await tx.execute(_REBUILD, {**values, "state": canonical(payment), "at": payment.updated_at})


async def remember(tx: Transaction, payment: Payment, event: PaymentEvent, at: datetime) -> None:
    """Keep the ids that an event brings, so that the payment is found by them."""
    match event:
        case e.MethodChosen(reference=reference, attempt=number):
            tx.add(AttemptRow(reference=reference, payment_id=payment.id, number=number))
        case e.AuthorisationGiven(transaction=transaction, attempt=number):
            rail = payment.attempt(number).rail
            tx.add(
                TransactionRow(
                    rail=rail, transaction=transaction, payment_id=payment.id, attempt=number, begun_at=at
                )
            )
        case e.RefundRequested(refund_id=refund_id):
            tx.add(RefundRow(id=refund_id, payment_id=payment.id))
            await tx.flush()
        case e.RefundSent(refund_id=refund_id, transaction=transaction):
            refund = payment.refund(refund_id)
            came = payment.receipt(refund.surplus) if refund else None
            if came is None:
                raise LookupError(f"payment {payment.id} has no money of refund {refund_id}")
            tx.add(
                TransactionRow(
                    rail=came.rail,
                    transaction=transaction,
                    payment_id=payment.id,
                    refund_id=refund_id,
                    begun_at=at,
                )
            )
        case e.AttemptSucceeded() | e.AttemptFailed() | e.AttemptClosed():
            await _ended(tx, payment.id, at, attempt=event.attempt)
        case e.RefundTryFailed() | e.RefundSucceeded() | e.RefundFailed():
            await _ended(tx, payment.id, at, refund=event.refund_id)
        case _:
            return


_ENDED: Final = text("""
UPDATE rail_transaction SET ended_at = :at
WHERE payment_id = :id AND ended_at IS NULL AND (attempt = :attempt OR refund_id = CAST(:refund AS uuid))
""")


async def _ended(
    tx: Transaction, payment_id: UUID, at: datetime, *, attempt: int | None = None, refund: UUID | None = None
) -> None:
    values = {"id": payment_id, "at": at, "attempt": attempt, "refund": refund}
    await tx.execute(_ENDED, values)


_OPEN: Final = text("""
SELECT rail, CASE WHEN refund_id IS NULL THEN 'attempt' ELSE 'refund' END AS of, min(begun_at) AS begun_at
FROM rail_transaction WHERE ended_at IS NULL GROUP BY 1, 2
""")


async def oldest_open(tx: Transaction) -> list[tuple[str, str, datetime]]:
    """Since when the oldest transaction is unanswered: rail, what it moves (attempt, refund), when it began."""
    return [(row.rail, row.of, row.begun_at) for row in await tx.execute(_OPEN)]


async def attempt_of(tx: Transaction, reference: str) -> tuple[UUID, int] | None:
    """The payment and the number of an attempt."""
    row = await tx.get(AttemptRow, reference)
    return (row.payment_id, row.number) if row else None


async def refund_of(tx: Transaction, refund_id: UUID) -> UUID | None:
    """The payment of a refund."""
    row = await tx.get(RefundRow, refund_id)
    return row.payment_id if row else None


async def transaction_of(tx: Transaction, rail: str, transaction: str) -> TransactionRow | None:
    """What a transaction moves."""
    return await tx.get(TransactionRow, (rail, transaction))
