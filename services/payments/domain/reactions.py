"""What follows from an event, as values: what is published, what is timed, what the rail is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.payments import contract
from services.payments.domain import events as e
from services.payments.domain.payment import Attempt, Payment, Receipt, Refund, surplus_id
from suuupra.events import Event

ATTEMPT_EXPIRY: Final = "attempt.expiry"
ATTEMPT_FOLLOW: Final = "attempt.follow"
REFUND_FOLLOW: Final = "refund.follow"
REFUND_RETRY: Final = "refund.retry"

EXPIRED: Final = "U69"
"""The code of a request that nobody approved in time (UPI; other rails' payers understand the sentence)."""
EXPIRED_REASON: Final = "The payment was not approved in time. Nothing was charged; try again."


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the platform."""

    event: Event


@dataclass(frozen=True, slots=True)
class Timer:
    """Look again at `due`. The key is the attempt's reference, or the refund's id."""

    kind: str
    key: str
    due: datetime


@dataclass(frozen=True, slots=True)
class NoTimer:
    """There is nothing to look at any more."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class AskOutcome:
    """Ask the rail how a transaction ended."""

    rail: str
    transaction: str


@dataclass(frozen=True, slots=True)
class AskRefund:
    """Ask the rail to give money back."""

    rail: str
    refund_id: UUID


Reaction = Publish | Timer | NoTimer | AskOutcome | AskRefund


def react(payment: Payment, event: e.PaymentEvent, at: datetime) -> Iterator[Reaction]:
    """What follows from `event`; `payment` is as the event left it."""
    match event:
        case e.Created() | e.CancelWanted() | e.Canceled() | e.RefundRequested():
            return
        case e.SurplusReceived():
            yield Publish(_surplus_received(payment, event, at))
        case e.RefundSent() | e.RefundOutcomeUnknown() | e.RefundOutcomeAsked():
            yield from _refund_goes_on(payment, event)
        case e.RefundTryFailed() | e.RefundSucceeded() | e.RefundFailed():
            yield from _refund_try_ended(payment, event, at)
        case _:
            yield from _of_attempt(payment, payment.attempt(event.attempt), event, at)


def _of_attempt(
    payment: Payment, attempt: Attempt, event: e.AttemptEvent, at: datetime
) -> Iterator[Reaction]:
    match event:
        case e.MethodChosen(expires_at=expires_at):
            yield Timer(ATTEMPT_EXPIRY, attempt.reference, expires_at)
        case e.AuthorisationGiven(follow_at=due):
            yield NoTimer(ATTEMPT_EXPIRY, attempt.reference)
            yield Timer(ATTEMPT_FOLLOW, attempt.reference, due)
        case e.OutcomeUnknown(check_at=due) | e.OutcomePending(check_at=due):
            yield Timer(ATTEMPT_FOLLOW, attempt.reference, due)
        case e.OutcomeAsked(next_at=next_at):
            yield AskOutcome(attempt.rail, _transaction(attempt))
            if next_at is not None:
                yield Timer(ATTEMPT_FOLLOW, attempt.reference, next_at)
        case e.AttemptSucceeded() | e.AttemptFailed() | e.AttemptExpired() | e.AttemptClosed():
            yield NoTimer(ATTEMPT_EXPIRY, attempt.reference)
            yield NoTimer(ATTEMPT_FOLLOW, attempt.reference)
            yield from _told(payment, attempt, event, at)
        case _:
            return


def _transaction(attempt: Attempt) -> str:
    transaction: str = getattr(attempt.state, "transaction", "")
    return transaction


def _told(payment: Payment, attempt: Attempt, event: e.AttemptEvent, at: datetime) -> Iterator[Reaction]:
    match event:
        case e.AttemptSucceeded(transaction=transaction, rrn=rrn):
            yield Publish(
                contract.PaymentSucceeded(
                    **_whose(payment),
                    amount_minor=payment.amount.minor,
                    tax_minor=payment.tax_minor,
                    currency=payment.amount.currency,
                    rail=attempt.rail,
                    rail_reference=transaction,
                    rrn=rrn,
                    succeeded_at=at,
                )
            )
        case e.AttemptFailed(code=code, reason=reason) if payment.success is None:
            yield _failed(payment, attempt, code, reason, at)
        case e.AttemptExpired() if payment.success is None:
            yield _failed(payment, attempt, EXPIRED, EXPIRED_REASON, at)
        case _:
            return


def _failed(payment: Payment, attempt: Attempt, code: str, reason: str, at: datetime) -> Publish:
    return Publish(
        contract.PaymentFailed(
            **_whose(payment), attempt=attempt.number, code=code, reason=reason, failed_at=at
        )
    )


def _whose(payment: Payment) -> dict[str, UUID]:
    return {"payment_id": payment.id, "order_id": payment.order_id, "user_id": payment.user_id}


def _refund_goes_on(
    payment: Payment, event: e.RefundSent | e.RefundOutcomeUnknown | e.RefundOutcomeAsked
) -> Iterator[Reaction]:
    refund = _refund(payment, event.refund_id)
    key, rail = str(refund.id), _receipt(payment, refund).rail
    match event:
        case e.RefundSent(follow_at=due):
            yield AskRefund(rail, event.refund_id)
            yield Timer(REFUND_FOLLOW, key, due)
        case e.RefundOutcomeUnknown(check_at=due):
            yield Timer(REFUND_FOLLOW, key, due)
        case e.RefundOutcomeAsked(next_at=next_at):
            yield AskOutcome(rail, refund.transactions[-1])
            if next_at is not None:
                yield Timer(REFUND_FOLLOW, key, next_at)


def _refund_try_ended(
    payment: Payment, event: e.RefundTryFailed | e.RefundSucceeded | e.RefundFailed, at: datetime
) -> Iterator[Reaction]:
    yield NoTimer(REFUND_FOLLOW, str(event.refund_id))
    refund = _refund(payment, event.refund_id)
    match event:
        case e.RefundTryFailed(retry_at=due):
            yield Timer(REFUND_RETRY, str(event.refund_id), due)
        case e.RefundSucceeded(transaction=transaction, rrn=rrn):
            told = _refunded if refund.surplus is None else _surplus_returned
            yield Publish(told(payment, refund, transaction, rrn, at))
        case e.RefundFailed(code=code, reason=reason):
            yield Publish(_refund_failed(payment, refund, code, reason, at))


def _refunded(
    payment: Payment, refund: Refund, transaction: str, rrn: str, at: datetime
) -> contract.PaymentRefunded:
    return contract.PaymentRefunded(
        **_whose(payment),
        refund_id=refund.id,
        amount_minor=refund.amount.minor,
        tax_minor=refund.tax_minor,
        refunded_total_minor=payment.refunded.minor,
        currency=refund.amount.currency,
        rail=_receipt(payment, refund).rail,
        rail_reference=transaction,
        rrn=rrn,
        reason=refund.reason,
        refunded_at=at,
    )


def _refund_failed(
    payment: Payment, refund: Refund, code: str, reason: str, at: datetime
) -> contract.RefundFailed:
    return contract.RefundFailed(
        **_whose(payment),
        refund_id=refund.id,
        amount_minor=refund.amount.minor,
        currency=refund.amount.currency,
        code=code,
        reason=reason,
        surplus_id=surplus_id(payment.id, refund.surplus) if refund.surplus else None,
        failed_at=at,
    )


def _surplus_received(payment: Payment, event: e.SurplusReceived, at: datetime) -> contract.SurplusReceived:
    return contract.SurplusReceived(
        **_whose(payment),
        surplus_id=surplus_id(payment.id, event.transaction),
        attempt=event.attempt,
        amount_minor=payment.amount.minor,
        currency=payment.amount.currency,
        rail=payment.attempt(event.attempt).rail,
        rail_reference=event.transaction,
        rrn=event.rrn,
        received_at=at,
    )


def _surplus_returned(
    payment: Payment, refund: Refund, transaction: str, rrn: str, at: datetime
) -> contract.SurplusReturned:
    receipt = _receipt(payment, refund)
    return contract.SurplusReturned(
        **_whose(payment),
        surplus_id=surplus_id(payment.id, receipt.transaction),
        refund_id=refund.id,
        amount_minor=refund.amount.minor,
        currency=refund.amount.currency,
        rail=receipt.rail,
        rail_reference=transaction,
        rrn=rrn,
        returned_at=at,
    )


def _refund(payment: Payment, refund_id: UUID) -> Refund:
    found = payment.refund(refund_id)
    if found is None:
        raise LookupError(f"payment {payment.id} has no refund {refund_id}")
    return found


def _receipt(payment: Payment, refund: Refund) -> Receipt:
    found = payment.receipt(refund.surplus)
    if found is None:
        raise LookupError(f"payment {payment.id} has no money of refund {refund.id}")
    return found
