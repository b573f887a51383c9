"""The fold: a payment is what its events make of it, and nothing else."""

from collections.abc import Iterable
from datetime import datetime

from services.payments.domain import events as e
from services.payments.domain.payment import (
    Asked,
    Attempt,
    AttemptState,
    AwaitingPayer,
    Chosen,
    Closed,
    Expired,
    Failed,
    GivenUp,
    InFlight,
    Payment,
    Pending,
    Refund,
    Refunded,
    RefundState,
    Resting,
    Succeeded,
    Surplus,
    Unresolved,
)


class BrokenHistory(ValueError):
    """The events do not follow one another: somebody wrote the table by hand."""


def fold(history: Iterable[tuple[e.PaymentEvent, datetime]]) -> Payment:
    """The payment that its events make, each with the time it happened at, the first one first."""
    payment: Payment | None = None
    for event, at in history:
        payment = _begin(event, at) if payment is None else apply(payment, event, at)
    if payment is None:
        raise BrokenHistory("a payment has at least one event")
    return payment


def _begin(event: e.PaymentEvent, at: datetime) -> Payment:
    if not isinstance(event, e.Created):
        raise BrokenHistory(f"the first event is {event.type}, not created")
    return Payment(
        id=event.payment_id,
        order_id=event.order_id,
        order_number=event.order_number,
        user_id=event.user_id,
        amount=event.amount,
        tax_minor=event.tax_minor,
        capture=event.capture,
        payable_until=event.payable_until,
        created_at=at,
        updated_at=at,
    )


def apply(payment: Payment, event: e.PaymentEvent, at: datetime) -> Payment:
    """The payment after one more event."""
    match event:
        case e.Created():
            raise BrokenHistory("a payment is created once")
        case e.CancelWanted(why=why):
            changed = payment.model_copy(update={"cancel_wanted": why})
        case e.Canceled(why=why):
            changed = payment.model_copy(update={"canceled": why})
        case e.MethodChosen():
            changed = payment.model_copy(
                update={"attempts": (*payment.attempts, _attempt(payment, event, at))}
            )
        case e.SurplusReceived():
            surplus = Surplus(**event.model_dump(exclude={"type"}), at=at)
            changed = payment.model_copy(update={"surpluses": (*payment.surpluses, surplus)})
        case e.RefundRequested():
            changed = payment.model_copy(update={"refunds": (*payment.refunds, _refund(event, at))})
        case (
            e.RefundSent()
            | e.RefundOutcomeUnknown()
            | e.RefundOutcomeAsked()
            | e.RefundTryFailed()
            | e.RefundSucceeded()
            | e.RefundFailed()
        ):
            changed = _with_refund(payment, event, at)
        case _:
            changed = _with_attempt(payment, event, at)
    return changed.model_copy(update={"version": payment.version + 1, "updated_at": at})


def _attempt(payment: Payment, event: e.MethodChosen, at: datetime) -> Attempt:
    if event.attempt != len(payment.attempts) + 1:
        raise BrokenHistory(f"attempt {event.attempt} follows attempt {len(payment.attempts)}")
    return Attempt(
        number=event.attempt,
        reference=event.reference,
        method=event.method,
        rail=event.rail,
        started_at=at,
        expires_at=event.expires_at,
        state=Chosen(),
    )


def _refund(event: e.RefundRequested, at: datetime) -> Refund:
    return Refund(
        id=event.refund_id,
        amount=event.amount,
        tax_minor=event.tax_minor,
        reason=event.reason,
        requested_by=event.requested_by,
        surplus=event.surplus,
        requested_at=at,
    )


_Moves = (
    e.ActionRequired
    | e.AuthorisationGiven
    | e.OutcomeUnknown
    | e.OutcomePending
    | e.OutcomeAsked
    | e.AttemptSucceeded
    | e.AttemptFailed
    | e.AttemptExpired
    | e.AttemptClosed
)


def _with_attempt(payment: Payment, event: _Moves, at: datetime) -> Payment:
    attempt = payment.attempt(event.attempt)
    told = {
        "state": _moved(attempt.state, event, at),
        "link": getattr(event, "link", attempt.link),
        "payer": getattr(event, "payer", attempt.payer),
    }
    moved = attempt.model_copy(update=told)
    attempts = tuple(moved if it.number == attempt.number else it for it in payment.attempts)
    return payment.model_copy(update={"attempts": attempts})


def _moved(state: AttemptState, event: _Moves, at: datetime) -> AttemptState:
    match event:
        case e.ActionRequired():
            return AwaitingPayer()
        case e.AuthorisationGiven(transaction=transaction, payer=payer):
            return Pending(transaction=transaction, payer=payer, since=at)
        case e.OutcomeUnknown() if isinstance(state, InFlight):
            return Unresolved(**_flight(state))
        case e.OutcomePending() if isinstance(state, InFlight):
            return Pending(**_flight(state), deemed=True)
        case e.OutcomeAsked() if isinstance(state, InFlight):
            return state.model_copy(update={"checks": state.checks + 1})
        case e.AttemptSucceeded(transaction=transaction, payer=payer, rrn=rrn):
            return Succeeded(transaction=transaction, payer=payer, rrn=rrn, at=at)
        case e.AttemptFailed(code=code, reason=reason):
            return Failed(code=code, reason=reason, at=at)
        case e.AttemptExpired():
            return Expired(at=at)
        case e.AttemptClosed(why=why):
            return Closed(why=why, at=at)
        case _:
            raise BrokenHistory(f"{event.type} does not follow {state.kind}")


def _flight(state: InFlight) -> dict[str, object]:
    return state.model_dump(include={"transaction", "payer", "since", "checks"})


_Progress = (
    e.RefundSent
    | e.RefundOutcomeUnknown
    | e.RefundOutcomeAsked
    | e.RefundTryFailed
    | e.RefundSucceeded
    | e.RefundFailed
)


def _with_refund(payment: Payment, event: _Progress, at: datetime) -> Payment:
    refund = payment.refund(event.refund_id)
    if refund is None:
        raise BrokenHistory(f"{event.type} of a refund that was not requested")
    moved = _refund_moved(refund, event, at)
    refunds = tuple(moved if it.id == refund.id else it for it in payment.refunds)
    return payment.model_copy(update={"refunds": refunds})


def _refund_moved(refund: Refund, event: _Progress, at: datetime) -> Refund:
    state = refund.state
    match event:
        case e.RefundSent(transaction=transaction):
            tries = (*refund.transactions, transaction)
            return refund.model_copy(
                update={"transactions": tries, "state": Asked(transaction=transaction, since=at)}
            )
        case e.RefundOutcomeUnknown() if isinstance(state, Asked):
            after: RefundState = state.model_copy(update={"unresolved": True})
        case e.RefundOutcomeAsked() if isinstance(state, Asked):
            after = state.model_copy(update={"checks": state.checks + 1})
        case e.RefundTryFailed():
            after = Resting()
        case e.RefundSucceeded(transaction=transaction, rrn=rrn):
            after = Refunded(transaction=transaction, rrn=rrn, at=at)
        case e.RefundFailed(code=code, reason=reason):
            after = GivenUp(code=code, reason=reason, at=at)
        case _:
            raise BrokenHistory(f"{event.type} does not follow {state.kind}")
    return refund.model_copy(update={"state": after})
