"""A payment as its events make it. The status is derived, so that it cannot contradict what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, assert_never
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from services.payments.domain.events import CancelReason, CloseReason, Method, RefundReason
from suuupra.money import Money, total


class Status(StrEnum):
    """Of a payment intent (the names are Stripe's). Only the last two are ends."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.REQUIRES_PAYMENT_METHOD: frozenset(
        {Status.REQUIRES_CONFIRMATION, Status.CANCELED, Status.SUCCEEDED}
    ),
    Status.REQUIRES_CONFIRMATION: frozenset({Status.REQUIRES_ACTION, Status.REQUIRES_PAYMENT_METHOD}),
    Status.REQUIRES_ACTION: frozenset({Status.PROCESSING, Status.REQUIRES_PAYMENT_METHOD, Status.SUCCEEDED}),
    Status.PROCESSING: frozenset({Status.REQUIRES_PAYMENT_METHOD, Status.SUCCEEDED}),
    Status.SUCCEEDED: frozenset(),
    # The rail's word about money outranks ours: what it says it paid us late is ours to give back (check M21).
    Status.CANCELED: frozenset({Status.SUCCEEDED}),
}
"""What may follow what, one event at a time."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Chosen(_Part):
    """A method was chosen; the payer cannot act yet."""

    kind: Literal["chosen"] = "chosen"


class AwaitingPayer(_Part):
    """The payer has the attempt's link and must act."""

    kind: Literal["awaiting_payer"] = "awaiting_payer"


class Pending(_Part):
    """The rail moves the money; `deemed` when it has told us that it waits for a bank itself."""

    kind: Literal["pending"] = "pending"
    transaction: str
    payer: str
    since: datetime
    deemed: bool = False
    checks: int = 0


class Unresolved(_Part):
    """The rail has not told us in time; `checks` times we have asked."""

    kind: Literal["unresolved"] = "unresolved"
    transaction: str
    payer: str
    since: datetime
    checks: int = 0


class Succeeded(_Part):
    """The money is ours."""

    kind: Literal["succeeded"] = "succeeded"
    transaction: str
    payer: str
    rrn: str
    at: datetime


class Failed(_Part):
    """The rail says that no money came."""

    kind: Literal["failed"] = "failed"
    code: str
    reason: str
    at: datetime


class Expired(_Part):
    """The payer did not act in time."""

    kind: Literal["expired"] = "expired"
    at: datetime


class Closed(_Part):
    """Given up by us before money could move."""

    kind: Literal["closed"] = "closed"
    why: CloseReason
    at: datetime


InFlight = Pending | Unresolved
Live = Chosen | AwaitingPayer | Pending | Unresolved
AttemptState = Live | Succeeded | Failed | Expired | Closed


class Attempt(_Part):
    """One try of the payer's. `number` counts from 1."""

    number: int
    reference: str
    method: Method
    rail: str
    started_at: datetime
    expires_at: datetime
    link: str = ""
    payer: str = ""
    """The address of who paid, or tried to, once that is known."""
    state: Annotated[AttemptState, Field(discriminator="kind")]

    @property
    def live(self) -> bool:
        """Whether it may still bring money."""
        return isinstance(self.state, Live)


class Asked(_Part):
    """The rail was asked to give the money back and has not answered; `unresolved` when it is late."""

    kind: Literal["asked"] = "asked"
    transaction: str
    since: datetime
    unresolved: bool = False
    checks: int = 0


class Resting(_Part):
    """Requested and not asked for yet, or between two tries."""

    kind: Literal["resting"] = "resting"


class Refunded(_Part):
    """The payer has it back."""

    kind: Literal["refunded"] = "refunded"
    transaction: str
    rrn: str
    at: datetime


class GivenUp(_Part):
    """Failed at the last try."""

    kind: Literal["given_up"] = "given_up"
    code: str
    reason: str
    at: datetime


RefundState = Asked | Resting | Refunded | GivenUp


class Refund(_Part):
    """A part of the payment that goes back. `transactions` are those of every try, the last one last."""

    id: UUID
    amount: Money
    tax_minor: int
    reason: RefundReason
    requested_by: str
    requested_at: datetime
    surplus: str | None = Field(default=None, exclude_if=lambda it: it is None)
    """The transaction of the surplus that goes back; None when it is of the payment itself."""
    transactions: tuple[str, ...] = ()
    state: Annotated[RefundState, Field(discriminator="kind")] = Resting()

    @property
    def counts(self) -> bool:
        """Whether its amount is spoken for."""
        return not isinstance(self.state, GivenUp)


class Surplus(_Part):
    """Money that the rail says it paid us beyond what was to be paid: once more the payment's amount."""

    attempt: int
    transaction: str
    payer: str
    rrn: str
    at: datetime


def surplus_id(payment_id: UUID, transaction: str) -> UUID:
    """What others know a surplus by: the same whenever it is asked for."""
    return uuid5(payment_id, transaction)


class Receipt(_Part):
    """Money that came, as a rail knows it. `link` is what its payer was shown: it says to which address of ours it came."""

    rail: str
    transaction: str
    payer: str
    link: str


class Payment(_Part):
    """A payment intent. `version` is the number of its events."""

    id: UUID
    order_id: UUID
    order_number: str
    user_id: UUID
    amount: Money
    tax_minor: int
    capture: Literal["automatic"]
    payable_until: datetime
    created_at: datetime
    updated_at: datetime
    version: int = 1
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    surpluses: tuple[Surplus, ...] = ()
    cancel_wanted: CancelReason | None = None
    canceled: CancelReason | None = None

    @property
    def status(self) -> Status:
        """Where the payment stands."""
        if self.success is not None:
            return Status.SUCCEEDED
        if self.live is not None:
            return _status_of(self.live.state)
        return Status.CANCELED if self.canceled else Status.REQUIRES_PAYMENT_METHOD

    @property
    def live(self) -> Attempt | None:
        """The attempt that may still bring money. There is one at most."""
        return next((attempt for attempt in self.attempts if attempt.live), None)

    @property
    def success(self) -> Attempt | None:
        """The attempt that brought the money."""
        return next((it for it in self.attempts if isinstance(it.state, Succeeded)), None)

    @property
    def refunding(self) -> Money:
        """What of the payment went back or is on its way back; surpluses are beside it."""
        counted = (it.amount for it in self.refunds if it.counts and it.surplus is None)
        return total(counted, self.amount.currency)

    @property
    def refunded(self) -> Money:
        """What of the payment went back."""
        gone = (it.amount for it in self.refunds if isinstance(it.state, Refunded) and it.surplus is None)
        return total(gone, self.amount.currency)

    def attempt(self, number: int) -> Attempt:
        """The attempt of that number."""
        return self.attempts[number - 1]

    def refund(self, refund_id: UUID) -> Refund | None:
        """The refund of that id."""
        return next((refund for refund in self.refunds if refund.id == refund_id), None)

    def surplus(self, transaction: str) -> Surplus | None:
        """The surplus that came with that transaction."""
        return next((surplus for surplus in self.surpluses if surplus.transaction == transaction), None)

    def surplus_refund(self, transaction: str) -> Refund | None:
        """The refund by which a surplus went back, or is on its way."""
        return next((it for it in self.refunds if it.surplus == transaction and it.counts), None)

    def receipt(self, surplus: str | None = None) -> Receipt | None:
        """The money that came: of the attempt that is the payment, or of a surplus."""
        if surplus is not None:
            extra = self.surplus(surplus)
            return _receipt(self.attempt(extra.attempt), extra) if extra else None
        paid = self.success
        if paid is None or not isinstance(paid.state, Succeeded):
            return None
        return _receipt(paid, paid.state)


def _receipt(attempt: Attempt, came: Succeeded | Surplus) -> Receipt:
    return Receipt(rail=attempt.rail, transaction=came.transaction, payer=came.payer, link=attempt.link)


def _status_of(state: AttemptState) -> Status:
    match state:
        case Chosen():
            return Status.REQUIRES_CONFIRMATION
        case AwaitingPayer():
            return Status.REQUIRES_ACTION
        case Pending() | Unresolved():
            return Status.PROCESSING
        case Succeeded():
            return Status.SUCCEEDED
        case Failed() | Expired() | Closed():
            return Status.REQUIRES_PAYMENT_METHOD
        case _:
            assert_never(state)
