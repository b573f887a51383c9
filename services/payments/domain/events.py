"""What can happen to a payment, as it is kept for ever: the event table holds these and nothing else is the truth.

An event is a fact with everything that a fold needs; the time it happened at stands beside it. Decisions that ask a
clock or a rulebook are made before, and their results (the times at which something is due) are part of the event, so
that a payment rebuilt in ten years comes out the same, byte for byte (check M14).

A field may be added with a default. A change that old rows cannot be read by is a new event with another `type`.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from suuupra.money import Money


class Method(StrEnum):
    """How a payer pays."""

    UPI_QR = "upi_qr"
    UPI_INTENT = "upi_intent"


class CancelReason(StrEnum):
    """Why a payment was withdrawn."""

    ORDER_EXPIRED = "order_expired"
    ORDER_CANCELED = "order_canceled"
    REQUESTED = "requested"


class RefundReason(StrEnum):
    """Why money goes back; all but the last as commerce says it, in refund.requested."""

    REQUESTED = "requested"
    ORDER_EXPIRED = "order_expired"
    ORDER_CANCELED = "order_canceled"
    ALREADY_PAID = "already_paid"
    PAID_TWICE = "paid_twice"
    """A surplus; nobody asks for it, payments gives it back by itself."""


class CloseReason(StrEnum):
    """Why nobody waits for an attempt any more."""

    SUPERSEDED = "superseded"
    CANCELED = "canceled"
    PAID_OTHERWISE = "paid_otherwise"


def _missing(value: object) -> bool:
    return value is None


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Created(_Event):
    """An order waits for its payment. `payable_until` is told by our own clock; see `usecases.orders`."""

    type: Literal["created"] = "created"
    payment_id: UUID
    order_id: UUID
    order_number: str
    user_id: UUID
    amount: Money
    tax_minor: int
    payable_until: datetime
    capture: Literal["automatic"] = "automatic"
    """No rail takes money in two steps yet; rows have the word since the first, so it stays."""


class MethodChosen(_Event):
    """An attempt begins. `reference` names it on the rail."""

    type: Literal["method_chosen"] = "method_chosen"
    attempt: int
    reference: str
    method: Method
    rail: str
    expires_at: datetime


class ActionRequired(_Event):
    """The attempt is ready; the payer must act: scan or open `link`."""

    type: Literal["action_required"] = "action_required"
    attempt: int
    link: str


class AuthorisationGiven(_Event):
    """We told the rail that we take this payment; from here on money may move. `payer` is the payer's address."""

    type: Literal["authorisation_given"] = "authorisation_given"
    attempt: int
    transaction: str
    payer: str
    follow_at: datetime


class OutcomeUnknown(_Event):
    """The rail has not told in time how the attempt ended. That is no failure: we ask at `check_at`."""

    type: Literal["outcome_unknown"] = "outcome_unknown"
    attempt: int
    check_at: datetime


class OutcomePending(_Event):
    """The rail says that it does not know itself yet (UPI: deemed, RB)."""

    type: Literal["outcome_pending"] = "outcome_pending"
    attempt: int
    code: str
    check_at: datetime


class OutcomeAsked(_Event):
    """We ask the rail how the attempt ended. Without `next_at` it was the last time that the rulebook allows."""

    type: Literal["outcome_asked"] = "outcome_asked"
    attempt: int
    next_at: datetime | None


class AttemptSucceeded(_Event):
    """The money is the merchant's. Once per payment."""

    type: Literal["attempt_succeeded"] = "attempt_succeeded"
    attempt: int
    transaction: str
    payer: str
    rrn: str


class AttemptFailed(_Event):
    """The rail says that no money moved, or that it went back."""

    type: Literal["attempt_failed"] = "attempt_failed"
    attempt: int
    code: str
    reason: str


class AttemptExpired(_Event):
    """The payer did not act in time."""

    type: Literal["attempt_expired"] = "attempt_expired"
    attempt: int


class AttemptClosed(_Event):
    """Nobody waits for the attempt any more; no money moved."""

    type: Literal["attempt_closed"] = "attempt_closed"
    attempt: int
    why: CloseReason


class SurplusReceived(_Event):
    """The rail says that an attempt succeeded although the payment had: money that is not ours, and goes back."""

    type: Literal["surplus_received"] = "surplus_received"
    attempt: int
    transaction: str
    payer: str
    rrn: str


class CancelWanted(_Event):
    """The order no longer wants the money, but an attempt may still bring it: we wait for how that ends."""

    type: Literal["cancel_wanted"] = "cancel_wanted"
    why: CancelReason


class Canceled(_Event):
    """The payment is withdrawn and no attempt can bring money."""

    type: Literal["canceled"] = "canceled"
    why: CancelReason


class RefundRequested(_Event):
    """Money shall go back: `amount`, of which `tax_minor` is tax.

    With `surplus` it is that of the surplus with this transaction; without, of the payment. Left out of the text where
    it is not, so that what was kept before there were such refunds stays as it is, byte for byte.
    """

    type: Literal["refund_requested"] = "refund_requested"
    refund_id: UUID
    amount: Money
    tax_minor: int
    reason: RefundReason
    requested_by: str
    surplus: str | None = Field(default=None, exclude_if=_missing)


class RefundSent(_Event):
    """We ask the rail to give the money back, under a transaction of its own: one per try."""

    type: Literal["refund_sent"] = "refund_sent"
    refund_id: UUID
    transaction: str
    follow_at: datetime


class RefundOutcomeUnknown(_Event):
    """The rail has not told how the refund ended, or does not know yet. We ask at `check_at`."""

    type: Literal["refund_outcome_unknown"] = "refund_outcome_unknown"
    refund_id: UUID
    check_at: datetime


class RefundOutcomeAsked(_Event):
    """We ask how the refund ended. Without `next_at` it was the last time."""

    type: Literal["refund_outcome_asked"] = "refund_outcome_asked"
    refund_id: UUID
    next_at: datetime | None


class RefundTryFailed(_Event):
    """The rail says that this try moved no money; another follows at `retry_at`."""

    type: Literal["refund_try_failed"] = "refund_try_failed"
    refund_id: UUID
    code: str
    reason: str
    retry_at: datetime


class RefundSucceeded(_Event):
    """The payer has the money back."""

    type: Literal["refund_succeeded"] = "refund_succeeded"
    refund_id: UUID
    transaction: str
    rrn: str


class RefundFailed(_Event):
    """Given up: refused by the rail at the last try, or more than we have. It can be asked for anew."""

    type: Literal["refund_failed"] = "refund_failed"
    refund_id: UUID
    code: str
    reason: str


AttemptEvent = (
    MethodChosen
    | ActionRequired
    | AuthorisationGiven
    | OutcomeUnknown
    | OutcomePending
    | OutcomeAsked
    | AttemptSucceeded
    | AttemptFailed
    | AttemptExpired
    | AttemptClosed
    | SurplusReceived
)
RefundEvent = (
    RefundRequested
    | RefundSent
    | RefundOutcomeUnknown
    | RefundOutcomeAsked
    | RefundTryFailed
    | RefundSucceeded
    | RefundFailed
)
PaymentEvent = Created | CancelWanted | Canceled | AttemptEvent | RefundEvent

_adapter: Final[TypeAdapter[Any]] = TypeAdapter(Annotated[PaymentEvent, Field(discriminator="type")])


def canonical(value: BaseModel) -> str:
    """`value` as JSON in the one form that it has: names sorted, nothing between. Equal values have equal texts."""
    return json.dumps(
        value.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def parse(text: str) -> PaymentEvent:
    """An event from its canonical text."""
    event: PaymentEvent = _adapter.validate_json(text)
    return event
