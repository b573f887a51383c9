"""Deciding about attempts: each function says what happens, as events, or why nothing does."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from services.payments.domain import events as e
from services.payments.domain.events import CancelReason, CloseReason, Method, PaymentEvent
from services.payments.domain.payment import (
    Attempt,
    AwaitingPayer,
    Chosen,
    Expired,
    Failed,
    InFlight,
    Payment,
    Pending,
    Status,
    Succeeded,
    Unresolved,
)
from services.payments.domain.rails import Failure, Outcome, Rules, StillOpen, Success
from suuupra.money import Money

MOST_ATTEMPTS: Final = 20
"""Of one payment: whoever has not paid by then asks for help."""
WORTH_GIVING_AGAIN: Final = timedelta(seconds=30)
"""What an attempt must still have of its life to be shown to another tab instead of a new one."""

Events = tuple[PaymentEvent, ...]


class Refusal(StrEnum):
    """Why a payer cannot begin an attempt, or cancel."""

    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    TOO_LATE = "too_late"
    IN_FLIGHT = "in_flight"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Begin:
    """A new attempt. Its `action_required` follows, once the rail has made the link."""

    events: Events


@dataclass(frozen=True, slots=True)
class GiveAgain:
    """The attempt that is open already will do: two tabs and a double click get one and the same."""

    attempt: Attempt


def begin_attempt(
    payment: Payment, method: Method, rail: str, rules: Rules, reference: str, now: datetime
) -> Begin | GiveAgain | Refusal:
    """Begin an attempt, unless the payment has one that will do, or can take none."""
    refused = _closed_to_payers(payment, now)
    if refused is not None:
        return refused
    live = payment.live
    if live is not None and not isinstance(live.state, Chosen | AwaitingPayer):
        return Refusal.IN_FLIGHT
    if live is not None and _will_do(live, method, rail, now):
        return GiveAgain(live)
    if len(payment.attempts) >= MOST_ATTEMPTS:
        return Refusal.TOO_MANY
    number = len(payment.attempts) + 1
    expires_at = min(now + rules.attempt_life, payment.payable_until)
    chosen = e.MethodChosen(
        attempt=number, reference=reference, method=method, rail=rail, expires_at=expires_at
    )
    return Begin((*_close(live, CloseReason.SUPERSEDED), chosen))


def _closed_to_payers(payment: Payment, now: datetime) -> Refusal | None:
    match payment.status:
        case Status.SUCCEEDED:
            return Refusal.SUCCEEDED
        case Status.CANCELED:
            return Refusal.CANCELED
        case _ if payment.cancel_wanted:
            return Refusal.CANCELED
        case _ if now >= payment.payable_until:
            return Refusal.TOO_LATE
        case _:
            return None


def _will_do(attempt: Attempt, method: Method, rail: str, now: datetime) -> bool:
    same = attempt.method == method and attempt.rail == rail
    return same and attempt.expires_at - now >= WORTH_GIVING_AGAIN


def _close(attempt: Attempt | None, why: CloseReason) -> Events:
    return (e.AttemptClosed(attempt=attempt.number, why=why),) if attempt else ()


class Decline(StrEnum):
    """Why we do not take a payment that the rail offers."""

    NOT_PAYABLE = "not_payable"
    WRONG_AMOUNT = "wrong_amount"
    EXPIRED = "expired"
    ANOTHER_IN_FLIGHT = "another_in_flight"


def judge_authorisation(
    payment: Payment, number: int, amount: Money, transaction: str, payer: str, rules: Rules, now: datetime
) -> Events | Decline:
    """Whether we take this payment: still wanted, in time, the right amount, and nobody else is paying it.

    Asked again for the same transaction, the answer is the same and nothing happens.
    """
    attempt = payment.attempt(number)
    match attempt.state:
        case Pending() | Unresolved() | Succeeded() if attempt.state.transaction == transaction:
            return () if amount == payment.amount else Decline.WRONG_AMOUNT
        case Pending() | Unresolved():
            return Decline.ANOTHER_IN_FLIGHT
        case AwaitingPayer() if _closed_to_payers(payment, now) is None and now < attempt.expires_at:
            if amount != payment.amount:
                return Decline.WRONG_AMOUNT
            follow_at = now + rules.patience
            return (
                e.AuthorisationGiven(
                    attempt=number, transaction=transaction, payer=payer, follow_at=follow_at
                ),
            )
        case AwaitingPayer() | Expired():
            return Decline.EXPIRED
        case _:
            return Decline.NOT_PAYABLE


def revive(payment: Payment, number: int, now: datetime) -> Events:
    """The payer pays the link of an attempt that failed once more: that is an attempt of its own, with the same link.

    Only while the link is good, and nothing else is open.
    """
    failed = payment.attempt(number)
    if not isinstance(failed.state, Failed) or payment.live is not None or not failed.link:
        return ()
    if _closed_to_payers(payment, now) or now >= failed.expires_at or len(payment.attempts) >= MOST_ATTEMPTS:
        return ()
    again = len(payment.attempts) + 1
    chosen = e.MethodChosen(
        attempt=again,
        reference=f"{failed.reference.partition('.')[0]}.{again}",
        method=failed.method,
        rail=failed.rail,
        expires_at=failed.expires_at,
    )
    return (chosen, e.ActionRequired(attempt=again, link=failed.link))


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The rail says something that cannot be, for people to see to. Nothing happens."""

    what: str


def note_outcome(
    payment: Payment, number: int, outcome: Outcome, rules: Rules, now: datetime
) -> Events | Contradiction:
    """Take in how an attempt ended, as often and in whatever order the rail says it."""
    attempt = payment.attempt(number)
    if isinstance(attempt.state, InFlight) and attempt.state.transaction != outcome.transaction:
        return Contradiction("the outcome is of another transaction than the one that was authorised")
    match outcome:
        case Success():
            return _succeed(payment, attempt, outcome)
        case Failure():
            return _fail(payment, attempt, outcome.code, outcome.reason)
        case StillOpen(code=code):
            return _wait(attempt, code, rules, now)
        case _:
            assert_never(outcome)


def _succeed(payment: Payment, attempt: Attempt, outcome: Success) -> Events | Contradiction:
    if outcome.amount is not None and outcome.amount != payment.amount:
        return Contradiction("the amount that moved is not the one that was to be paid")
    payer = outcome.payer or attempt.payer
    told = {"attempt": attempt.number, "transaction": outcome.transaction, "payer": payer, "rrn": outcome.rrn}
    if isinstance(attempt.state, Succeeded) and attempt.state.transaction == outcome.transaction:
        return ()
    if payment.success is None:
        other = payment.live if payment.live != attempt else None
        waiting = other if other and isinstance(other.state, Chosen | AwaitingPayer) else None
        return (e.AttemptSucceeded(**told), *_close(waiting, CloseReason.PAID_OTHERWISE))
    if any(it.transaction == outcome.transaction for it in payment.surpluses):
        return ()
    surplus: Events = (e.SurplusReceived(**told),)
    ended = attempt.live and not isinstance(attempt.state, Succeeded)
    return (*surplus, *_close(attempt, CloseReason.PAID_OTHERWISE)) if ended else surplus


def _fail(payment: Payment, attempt: Attempt, code: str, reason: str) -> Events | Contradiction:
    if isinstance(attempt.state, Succeeded):
        return Contradiction("an attempt that had succeeded is said to have failed")
    if not attempt.live:
        return ()
    failed = e.AttemptFailed(attempt=attempt.number, code=code, reason=reason)
    return (failed, *_canceled_as_wanted(payment))


def _canceled_as_wanted(payment: Payment) -> Events:
    wanted = payment.cancel_wanted
    return (e.Canceled(why=wanted),) if wanted and not payment.canceled else ()


def _wait(attempt: Attempt, code: str, rules: Rules, now: datetime) -> Events:
    """The rail does not know either; what it told us before is not told again."""
    if not isinstance(attempt.state, InFlight) or (
        isinstance(attempt.state, Pending) and attempt.state.deemed
    ):
        return ()
    check_at = max(now, attempt.state.since + rules.first_check)
    return (e.OutcomePending(attempt=attempt.number, code=code, check_at=check_at),)


def expire_attempt(payment: Payment, number: int, now: datetime) -> Events:
    """The payer's time is over, if it is and nothing else happened before."""
    attempt = payment.attempt(number)
    if not isinstance(attempt.state, Chosen | AwaitingPayer) or now < attempt.expires_at:
        return ()
    return (e.AttemptExpired(attempt=number), *_canceled_as_wanted(payment))


def follow_attempt(payment: Payment, number: int, rules: Rules, now: datetime) -> Events:
    """Nothing was heard: first that is noted, then the rail is asked, as often as the rulebook allows."""
    attempt = payment.attempt(number)
    state = attempt.state
    if isinstance(state, Pending) and not state.deemed:
        check_at = max(now, state.since + rules.first_check)
        return (e.OutcomeUnknown(attempt=number, check_at=check_at),)
    if not isinstance(state, InFlight) or not may_ask(state.since, state.checks, rules, now):
        return ()
    return (e.OutcomeAsked(attempt=number, next_at=next_check(state.since, state.checks, rules, now)),)


def may_ask(since: datetime, checks: int, rules: Rules, now: datetime) -> bool:
    """Whether the rulebook allows one more question."""
    return checks < rules.most_checks and now <= since + rules.check_window


def next_check(since: datetime, checks: int, rules: Rules, now: datetime) -> datetime | None:
    """When the question after this one is due, if there is another."""
    due = now + rules.next_check
    return due if may_ask(since, checks + 1, rules, due) else None


def cancel(payment: Payment, why: CancelReason) -> Events | Refusal:
    """Withdraw the payment. While money may move it is only wanted, and happens when no money comes.

    A payer who asks is refused then; an order that has ended cannot be.
    """
    if payment.status is Status.SUCCEEDED:
        return Refusal.SUCCEEDED
    if payment.canceled or payment.cancel_wanted:
        return ()
    live = payment.live
    if live is not None and not isinstance(live.state, Chosen | AwaitingPayer):
        return Refusal.IN_FLIGHT if why is CancelReason.REQUESTED else (e.CancelWanted(why=why),)
    return (*_close(live, CloseReason.CANCELED), e.Canceled(why=why))
