"""What follows from an order's ends: paid (fulfilled at once), canceled, expired, refunded."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import orders as domain
from services.commerce.store import catalogue, coupons, entitlements
from services.commerce.store import orders as store
from services.commerce.store.tables import OrderLineRow
from services.commerce.usecases import views
from services.commerce.usecases.story import tell
from suuupra import outbox
from suuupra.db import Transaction
from suuupra.events import Event
from suuupra.writing import listed

Published = list[tuple[UUID | str, Event]]
"""Events with their aggregates, appended together so that their locks are taken in one order."""


async def settle(tx: Transaction, loaded: store.Loaded, by: domain.Settled, now: datetime) -> None:
    """The order is paid, and fulfilled: what was bought is granted."""
    row = loaded.row
    order = domain.decide_fulfilled(domain.decide_paid(loaded.order, by))
    store.apply(row, order)
    await tx.flush()
    lines = await store.lines(tx, [row.id])
    events: Published = [(row.id, _paid(loaded, lines, by))]
    events += await _granted(tx, row.user_id, row.id, lines, now)
    await outbox.append_many(tx, events, at=now)
    words = f"Paid, with invoice {by.invoice_number}"
    await tell(tx, row.id, now, "order.paid", words, payment_id=by.payment_id, invoice=by.invoice_number)
    if _courses(lines):
        words = f"{await _names(tx, lines)} opened"
        await tell(tx, row.id, now, "order.fulfilled", words, course_ids=_ids(lines))


def _paid(loaded: store.Loaded, lines: Sequence[OrderLineRow], by: domain.Settled) -> contract.OrderPaid:
    row = loaded.row
    return contract.OrderPaid(
        order_id=row.id,
        number=row.number,
        user_id=row.user_id,
        payment_id=by.payment_id,
        invoice_number=by.invoice_number,
        lines=[views.order_line(line) for line in lines],
        currency=row.currency,
        tax_minor=row.tax,
        total_minor=row.total,
        paid_at=by.paid_at,
    )


async def _granted(
    tx: Transaction, user_id: UUID, order_id: UUID, lines: Sequence[OrderLineRow], now: datetime
) -> Published:
    events: Published = []
    for course_id in _courses(lines):
        if await entitlements.grant(tx, user_id, course_id, order_id, now):
            granted = contract.EntitlementGranted(
                user_id=user_id, course_id=course_id, order_id=order_id, granted_at=now
            )
            events.append((contract.entitlement_key(user_id, course_id), granted))
    return events


async def revoke(tx: Transaction, user_id: UUID, order_id: UUID, now: datetime) -> Published:
    """Take back what an order granted, and give its seats back; the events that say so."""
    lines = await store.lines(tx, [order_id])
    events: Published = []
    for course_id in _courses(lines):
        if await entitlements.revoke(tx, user_id, course_id, order_id, now):
            revoked = contract.EntitlementRevoked(
                user_id=user_id, course_id=course_id, order_id=order_id, revoked_at=now
            )
            events.append((contract.entitlement_key(user_id, course_id), revoked))
    if events:
        words = f"{await _names(tx, lines)} closed again"
        await tell(tx, order_id, now, "order.closed", words, course_ids=_ids(lines))
    await release_seats(tx, lines)
    return events


async def let_go(tx: Transaction, order_id: UUID) -> None:
    """Give back what an order that was not paid held: its coupon, then its seats."""
    await coupons.give_back(tx, order_id)
    await release_seats(tx, await store.lines(tx, [order_id]))


async def release_seats(tx: Transaction, lines: Sequence[OrderLineRow]) -> None:
    """Give the lines' seats back, in the order of their variants."""
    for line in sorted(lines, key=lambda line: line.variant_id):
        if line.seats:
            await catalogue.release_seats(tx, line.variant_id, line.seats)
            line.seats = 0
    await tx.flush()


async def _names(tx: Transaction, lines: Sequence[OrderLineRow]) -> str:
    """What the lines' courses are called; until content has told, what the lines are."""
    known = await catalogue.courses(tx, _courses(lines))
    names = [known[it.course_id].title if it.course_id in known else it.title for it in lines if it.course_id]
    return listed(list(dict.fromkeys(names)))


def _ids(lines: Sequence[OrderLineRow]) -> str:
    return " ".join(str(course_id) for course_id in _courses(lines))


def _courses(lines: Sequence[OrderLineRow]) -> list[UUID]:
    """The courses of lines, each once and always in the same order."""
    return sorted({line.course_id for line in lines if line.course_id is not None})
