"""What a buyer, the clock and support do with an order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.commerce import contract
from services.commerce.domain import orders as domain
from services.commerce.store import orders as store
from services.commerce.store.tables import RefundRow
from services.commerce.usecases import reading, settling, views
from services.commerce.usecases.checkout import EXPIRE
from services.commerce.usecases.problems import WrongState, refused
from services.commerce.usecases.story import tell
from suuupra import outbox, schedule
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import invalid, not_found
from suuupra.ids import new_id
from suuupra.money import Money
from suuupra.writing import money

_WHY_BACK: Final[Mapping[domain.Reason, str]] = {
    "requested": "it was asked for",
    "order_expired": "it arrived after the order's time was over",
    "order_canceled": "it arrived after the order was withdrawn",
    "already_paid": "the order was paid already",
    "wrong_amount": "it was not what the order asks for",
}


async def cancel(tx: Transaction, clock: Clock, user_id: UUID, order_id: UUID) -> contract.OrderView:
    """Withdraw an order that is not paid. Canceling again answers the same."""
    now = clock.now()
    loaded = await reading.owned(tx, order_id, user_id, lock=True)
    order = domain.decide_cancel(loaded.order, now)
    if isinstance(order, domain.Refused):
        raise refused(WrongState, "path.order_id", order.rule, order.fix)
    if order != loaded.order:
        await withdraw(tx, loaded, order, "Withdrawn by the buyer", now)
    return await reading.view(tx, order_id)


async def withdraw(
    tx: Transaction, loaded: store.Loaded, order: domain.Order, words: str, now: datetime
) -> None:
    """Let a locked order be canceled as decided: what it held is free, and others hear of it."""
    await _end(tx, loaded, order)
    row = loaded.row
    canceled = contract.OrderCanceled(
        order_id=row.id, number=row.number, user_id=row.user_id, canceled_at=now
    )
    await outbox.append(tx, row.id, canceled, at=now)
    await tell(tx, row.id, now, "order.canceled", words)
    await schedule.cancel(tx, EXPIRE, row.id)


async def expire(tx: Transaction, clock: Clock, order_id: UUID) -> None:
    """Let an order expire whose time is over by our clock; ask again later when it is not."""
    now = clock.now()
    loaded = await store.load(tx, order_id, lock=True)
    outcome = domain.decide_expiry(loaded.order, now) if loaded is not None else None
    if loaded is None or outcome is None:
        return
    if isinstance(outcome, datetime):
        await schedule.put(tx, EXPIRE, order_id, outcome)
        return
    await _end(tx, loaded, outcome)
    row = loaded.row
    expired = contract.OrderExpired(order_id=row.id, number=row.number, user_id=row.user_id, expired_at=now)
    await outbox.append(tx, row.id, expired, at=now)
    await tell(tx, row.id, now, "order.expired", "Not paid in time; seats and coupon are free again")


async def _end(tx: Transaction, loaded: store.Loaded, order: domain.Order) -> None:
    store.apply(loaded.row, order)
    await tx.flush()
    await settling.let_go(tx, loaded.row.id)


async def refund(
    tx: Transaction, *, clock: Clock, by: str, order_id: UUID, new: contract.NewRefund
) -> contract.RefundView:
    """Ask payments to give money of a paid order back: part of it, or all that is left."""
    now = clock.now()
    loaded = await reading.owned(tx, order_id, None, lock=True)
    row = loaded.row
    if new.amount is not None and new.amount.currency != row.currency:
        rule = f"must be {row.currency}, the order's currency"
        raise invalid("body.amount.currency", rule, f"send {row.currency}")
    wanted = None if new.amount is None else new.amount.money.minor
    decided = domain.decide_refund(loaded.order, wanted, new_id())
    if isinstance(decided, domain.Refused):
        field = "path.order_id" if wanted is None else "body.amount"
        raise refused(WrongState, field, decided.rule, decided.fix)
    saved = await ask_back(tx, loaded, decided, by, now)
    return views.refund(saved, row.currency)


async def retry_refund(
    tx: Transaction, *, clock: Clock, by: str, order_id: UUID, refund_id: UUID
) -> contract.RefundView:
    """Ask payments once more for a refund that failed, as a new one."""
    loaded = await reading.owned(tx, order_id, None, lock=True)
    failed = next((one for one in loaded.order.refunds if one.id == refund_id), None)
    if failed is None:
        raise not_found("refund", refund_id)
    decided = domain.decide_retry(loaded.order, failed, new_id())
    if isinstance(decided, domain.Refused):
        raise refused(WrongState, "path.refund_id", decided.rule, decided.fix)
    saved = await ask_back(tx, loaded, decided, by, clock.now())
    return views.refund(saved, loaded.row.currency)


def told_reason(reason: domain.Reason) -> contract.RefundReason:
    """A reason as events say it: to those who read them a wrong amount is a refund that commerce asked for."""
    return "requested" if reason == "wrong_amount" else reason


async def ask_back(
    tx: Transaction, loaded: store.Loaded, refund_: domain.Refund, by: str, now: datetime
) -> RefundRow:
    """Keep a refund and publish that it is wanted."""
    row = loaded.row
    currency = refund_.currency or row.currency
    saved = RefundRow(
        id=refund_.id,
        order_id=row.id,
        payment_id=refund_.payment_id,
        minor=refund_.amount_minor,
        currency=currency,
        reason=refund_.reason,
        requested_by=by,
        requested_at=now,
    )
    tx.add(saved)
    await tx.flush()
    requested = contract.RefundRequested(
        refund_id=refund_.id,
        order_id=row.id,
        payment_id=refund_.payment_id,
        amount_minor=refund_.amount_minor,
        currency=currency,
        reason=told_reason(refund_.reason),
        requested_at=now,
    )
    await outbox.append(tx, row.id, requested, at=now)
    amount = money(Money(refund_.amount_minor, currency))
    words = f"{amount} is on its way back: {_WHY_BACK[refund_.reason]}"
    await tell(
        tx,
        row.id,
        now,
        "refund.requested",
        words,
        refund_id=refund_.id,
        payment_id=refund_.payment_id,
        by=by,
    )
    return saved
