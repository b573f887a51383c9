"""Deciding about refunds: never more than was captured, its tax exactly, one try at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

from services.payments.domain import events as e
from services.payments.domain.attempts import Contradiction, Events, may_ask, next_check
from services.payments.domain.events import RefundReason
from services.payments.domain.payment import Asked, GivenUp, Payment, Refund, Refunded, Resting, Status
from services.payments.domain.rails import Failure, Outcome, Rules, StillOpen, Success
from suuupra.money import Money


class Unrefundable(StrEnum):
    """Why no money goes back."""

    NOT_PAID = "not_paid"
    NOTHING = "nothing"
    TOO_MUCH = "too_much"
    OTHER_CURRENCY = "other_currency"
    ID_REUSED = "id_reused"


REFUSED: Final[Mapping[Unrefundable, str]] = {
    Unrefundable.NOT_PAID: "The payment has not succeeded, so there is nothing to give back.",
    Unrefundable.TOO_MUCH: "It is more than is left of what was captured.",
    Unrefundable.OTHER_CURRENCY: "The payment was in another currency.",
}
"""What can never be carried out, and is an answer to who asked; the rest is no request that anybody may make."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a refund is asked with. `surplus` is the transaction of the surplus that goes back, if it is one."""

    refund_id: UUID
    amount: Money
    reason: RefundReason
    by: str
    surplus: str | None = None


def request_refund(payment: Payment, asking: Asking) -> Events | Unrefundable:
    """Take a refund in. The same id with the same content is the same refund; with other content it is refused."""
    known = payment.refund(asking.refund_id)
    if known is not None:
        same = (known.amount, known.reason) == (asking.amount, asking.reason)
        return () if same else Unrefundable.ID_REUSED
    if payment.status is not Status.SUCCEEDED:
        return Unrefundable.NOT_PAID
    if asking.amount.currency != payment.amount.currency:
        return Unrefundable.OTHER_CURRENCY
    if asking.amount.minor <= 0:
        return Unrefundable.NOTHING
    if asking.surplus is not None:
        return _request_surplus(payment, asking, asking.surplus)
    if payment.refunding + asking.amount > payment.amount:
        return Unrefundable.TOO_MUCH
    return (_requested(asking, tax_inside(payment, asking.amount)),)


def _request_surplus(payment: Payment, asking: Asking, transaction: str) -> Events | Unrefundable:
    """A surplus goes back whole and once; no tax was taken with it."""
    if payment.surplus(transaction) is None:
        return Unrefundable.NOT_PAID
    if payment.surplus_refund(transaction) is not None or asking.amount > payment.amount:
        return Unrefundable.TOO_MUCH
    return (_requested(asking, tax_minor=0),)


def _requested(asking: Asking, tax_minor: int) -> e.RefundRequested:
    return e.RefundRequested(
        refund_id=asking.refund_id,
        amount=asking.amount,
        tax_minor=tax_minor,
        reason=asking.reason,
        requested_by=asking.by,
        surplus=asking.surplus,
    )


def refuse_refund(asking: Asking, why: Unrefundable) -> Events:
    """Say for good that a refund cannot be made. It is kept, so that asked again it stays refused."""
    failed = e.RefundFailed(refund_id=asking.refund_id, code=why.value, reason=REFUSED[why])
    return (_requested(asking, tax_minor=0), failed)


def ask_anew(refund: Refund, refund_id: UUID, by: str) -> Asking | None:
    """What a refund that was given up is asked for with once more; None while it has not failed."""
    if not isinstance(refund.state, GivenUp):
        return None
    return Asking(refund_id, refund.amount, refund.reason, by, refund.surplus)


def tax_inside(payment: Payment, amount: Money) -> int:
    """The tax inside a refund of `amount`, in minor units.

    The tax of all that has gone back so far is the payment's tax in proportion, rounded as `Money.allocate` does; a
    refund carries the difference. It is kept within what is left of tax and of net, which matters when a refund
    before it was given up: so the sum never exceeds the payment's tax, and is exactly it when all has gone back.
    """
    gone, taxed = _spoken_for(payment.refunds)
    whole, tax = payment.amount.minor, payment.tax_minor
    after = gone + amount.minor
    due = Money(tax, payment.amount.currency).allocate([after, whole - after])[0].minor
    least = max(0, after - taxed - (whole - tax))
    most = min(amount.minor, tax - taxed)
    return min(max(due - taxed, least), most)


def _spoken_for(refunds: Sequence[Refund]) -> tuple[int, int]:
    counted = [refund for refund in refunds if refund.counts and refund.surplus is None]
    return sum(it.amount.minor for it in counted), sum(it.tax_minor for it in counted)


def send_refund(refund: Refund, transaction: str, rules: Rules, now: datetime) -> Events:
    """Ask the rail, under a new transaction: only when no earlier one can still move money."""
    if not isinstance(refund.state, Resting):
        return ()
    follow_at = now + rules.patience
    return (e.RefundSent(refund_id=refund.id, transaction=transaction, follow_at=follow_at),)


def note_refund_outcome(
    refund: Refund, outcome: Outcome, rules: Rules, now: datetime
) -> Events | Contradiction:
    """Take in how a try of a refund ended."""
    match outcome:
        case Success(transaction=transaction, rrn=rrn):
            return _refunded(refund, transaction, rrn)
        case Failure():
            return _try_failed(refund, outcome, rules, now)
        case StillOpen():
            return _still_open(refund, rules, now)
        case _:
            assert_never(outcome)


def _refunded(refund: Refund, transaction: str, rrn: str) -> Events | Contradiction:
    match refund.state:
        case Refunded() if refund.state.transaction == transaction:
            return ()
        case Refunded() | GivenUp():
            return Contradiction("a try of a refund succeeded after the refund had ended")
        case Asked() if refund.state.transaction != transaction:
            return Contradiction("a try of a refund succeeded that had failed before")
        case _:
            return (e.RefundSucceeded(refund_id=refund.id, transaction=transaction, rrn=rrn),)


def _try_failed(refund: Refund, outcome: Failure, rules: Rules, now: datetime) -> Events | Contradiction:
    if isinstance(refund.state, Refunded) and refund.state.transaction == outcome.transaction:
        return Contradiction("a refund that had succeeded is said to have failed")
    if not isinstance(refund.state, Asked) or refund.state.transaction != outcome.transaction:
        return ()
    tries = len(refund.transactions)
    if tries > len(rules.retry_pauses):
        return (e.RefundFailed(refund_id=refund.id, code=outcome.code, reason=outcome.reason),)
    retry_at = now + rules.retry_pauses[tries - 1]
    return (
        e.RefundTryFailed(refund_id=refund.id, code=outcome.code, reason=outcome.reason, retry_at=retry_at),
    )


def _still_open(refund: Refund, rules: Rules, now: datetime) -> Events:
    state = refund.state
    if not isinstance(state, Asked) or state.unresolved:
        return ()
    return (e.RefundOutcomeUnknown(refund_id=refund.id, check_at=max(now, state.since + rules.first_check)),)


def follow_refund(refund: Refund, rules: Rules, now: datetime) -> Events:
    """Nothing was heard of a refund: that is noted, then the rail is asked, as often as the rulebook allows."""
    state = refund.state
    if not isinstance(state, Asked):
        return ()
    if not state.unresolved:
        return _still_open(refund, rules, now)
    if not may_ask(state.since, state.checks, rules, now):
        return ()
    return (
        e.RefundOutcomeAsked(refund_id=refund.id, next_at=next_check(state.since, state.checks, rules, now)),
    )
