"""What others may know of payments: its events and its API. Amounts are minor units (ISO 4217); times are UTC."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.payments.domain.registrations import RailParticipant as RailParticipant
from services.payments.domain.registrations import RailRegistration as RailRegistration
from services.payments.domain.registrations import Rulebook as Rulebook
from suuupra import fields
from suuupra.events import Event
from suuupra.money import Money


class PaymentSucceeded(Event):
    """The money is the merchant's. Aggregate: the payment (the intent). One per payment.

    `tax_minor` is the part of the amount that is tax, as the order said. `rail_reference` is the rail's transaction
    id (for UPI the switch's), `rrn` the twelve-digit retrieval reference number that bank statements show.
    """

    type: ClassVar[str] = "payment.succeeded"

    payment_id: UUID
    order_id: UUID
    user_id: UUID
    amount_minor: int
    tax_minor: int
    currency: str
    rail: str
    rail_reference: str
    rrn: str
    succeeded_at: datetime


class PaymentFailed(Event):
    """An attempt failed for good; while the order stands another attempt may follow. Aggregate: the payment.

    `code` is the rail's (for UPI: Z9 insufficient funds, ZM wrong PIN, ZA declined, U69 expired …), `reason` says it
    in words a learner can act on.
    """

    type: ClassVar[str] = "payment.failed"

    payment_id: UUID
    order_id: UUID
    user_id: UUID
    attempt: int
    code: str
    reason: str
    failed_at: datetime


class PaymentRefunded(Event):
    """Money went back to the payer. Aggregate: the payment. One per refund.

    `tax_minor` is the tax inside `amount_minor`; over all refunds of a payment it never exceeds the payment's own,
    and equals it when all is refunded.
    """

    type: ClassVar[str] = "payment.refunded"

    payment_id: UUID
    order_id: UUID
    user_id: UUID
    refund_id: UUID
    amount_minor: int
    tax_minor: int
    refunded_total_minor: int
    currency: str
    rail: str
    rail_reference: str
    rrn: str
    reason: str
    refunded_at: datetime


class RefundFailed(Event):
    """A refund cannot be made: no money moved, and its amount can be asked for anew. Aggregate: the payment.

    Once per refund. `code` is the rail's, or ours: `too_much` (more than is left of what was captured), `not_paid`,
    `other_currency`; `reason` says it in words. `surplus_id` is set when it was the refund of a surplus.
    """

    type: ClassVar[str] = "refund.failed"

    payment_id: UUID
    order_id: UUID
    user_id: UUID
    refund_id: UUID
    amount_minor: int
    currency: str
    code: str
    reason: str
    surplus_id: UUID | None = None
    failed_at: datetime


class SurplusReceived(Event):
    """Money came for a payment that had succeeded: a second attempt of the payer's did too. Aggregate: the payment.

    It is nobody's revenue and pays no order; payments gives it back by itself. Once per surplus.
    """

    type: ClassVar[str] = "surplus.received"

    payment_id: UUID
    order_id: UUID
    user_id: UUID
    surplus_id: UUID
    attempt: int
    amount_minor: int
    currency: str
    rail: str
    rail_reference: str
    rrn: str
    received_at: datetime


class SurplusReturned(Event):
    """A surplus went back to its payer. Aggregate: the payment. Once per surplus.

    No payment.refunded is published of it: the payment itself stays as it is.
    """

    type: ClassVar[str] = "surplus.returned"

    payment_id: UUID
    order_id: UUID
    user_id: UUID
    surplus_id: UUID
    refund_id: UUID
    amount_minor: int
    currency: str
    rail: str
    rail_reference: str
    rrn: str
    returned_at: datetime


EVENTS: tuple[type[Event], ...] = (
    PaymentSucceeded,
    PaymentFailed,
    PaymentRefunded,
    RefundFailed,
    SurplusReceived,
    SurplusReturned,
)


# The API

PaymentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "succeeded",
    "canceled",
]
PaymentMethod = Literal["upi_qr", "upi_intent"]
AttemptStatus = Literal[
    "chosen", "awaiting_payer", "pending", "unresolved", "succeeded", "failed", "expired", "closed"
]
RefundStatus = Literal["processing", "unresolved", "succeeded", "failed"]
EventType = Literal[
    "payment.succeeded",
    "payment.failed",
    "payment.refunded",
    "refund.failed",
    "surplus.received",
    "surplus.returned",
]
DeliveryState = Literal["waiting", "delivered", "failed"]


class _Request(BaseModel):
    """A field that is not known is a mistake of the caller, and said."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _View(BaseModel):
    """Answers: a reader ignores what it does not know, so that fields may be added."""

    model_config = ConfigDict(frozen=True)


class NewAttempt(_Request):
    """`upi_qr`: a code to be scanned by another device. `upi_intent`: a link that opens an app on this one."""

    method: PaymentMethod


class AttemptView(_View):
    """One try. `pending` and `unresolved` are no errors: the money may have moved, and we find out by ourselves.

    `deemed`: it is pending because the rail itself waits for a bank's answer. `code` and `reason` say why it failed,
    expired or was closed; `upi_uri` is there while the payer may use it.
    """

    number: int
    reference: str
    method: PaymentMethod
    rail: str
    state: AttemptStatus
    deemed: bool = False
    started_at: datetime
    expires_at: datetime
    code: str | None = None
    reason: str | None = None
    upi_uri: str | None = None


class StartedAttempt(_View):
    """What the payer is shown. `qr_svg` is a picture of `upi_uri`, without script, to be put into a page as it is."""

    payment_id: UUID
    attempt: AttemptView
    upi_uri: str
    qr_svg: str
    expires_at: datetime


class NewRefund(_Request):
    """Without `amount` all that is left goes back."""

    amount: Money | None = None
    reason: Literal["requested"] = "requested"


class RefundView(_View):
    """Money that goes back. `tax_minor` is the tax inside `amount`; `detail` says in words why it failed."""

    id: UUID
    payment_id: UUID
    amount: Money
    tax_minor: int
    reason: str
    status: RefundStatus
    requested_at: datetime
    code: str | None = None
    detail: str | None = None
    rrn: str | None = None


class SurplusView(_View):
    """Money that came although the payment had succeeded. `refund_id`: the refund by which it goes back, or went."""

    id: UUID
    attempt: int
    amount: Money
    rrn: str
    received_at: datetime
    refund_id: UUID | None


class PaymentView(_View):
    """A payment. `version` counts what happened to it; the same version is the same payment."""

    id: UUID
    order_id: UUID
    order_number: str
    status: PaymentStatus
    amount: Money
    tax_minor: int
    refunded: Money
    refunding: Money = Field(description="What went back or is on its way back.")
    cancel_wanted: bool = Field(description="The order has ended; what an attempt still brings is refunded.")
    payable_until: datetime
    created_at: datetime
    updated_at: datetime
    version: int
    attempts: list[AttemptView]
    refunds: list[RefundView]
    surpluses: list[SurplusView] = []


class TimelineEntry(_View):
    """Something that happened. `kind` says where it was recorded; `details` hold no secrets and no full addresses."""

    at: datetime
    kind: Literal["event", "message_in", "message_out", "published", "webhook"]
    what: str
    details: dict[str, Any] = Field(default_factory=dict)


class Timeline(_View):
    """All that is known of a payment, in order: the story of one id."""

    payment_id: UUID
    items: list[TimelineEntry]


class NewEndpoint(_Request):
    """Where events are to be sent: https and public, unless the platform runs on a developer's machine."""

    url: fields.WebAddress
    events: Annotated[list[EventType], Field(min_length=1, max_length=10)]
    description: Annotated[fields.Line, Field(max_length=200)] = ""


class EndpointChange(_Request):
    """The whole of what can be changed; an endpoint that is not `enabled` is sent nothing new."""

    url: fields.WebAddress
    events: Annotated[list[EventType], Field(min_length=1, max_length=10)]
    description: Annotated[fields.Line, Field(max_length=200)] = ""
    enabled: bool = True


class EndpointView(_View):
    """An endpoint. Its secret is never shown again."""

    id: UUID
    url: str
    events: list[EventType]
    description: str
    enabled: bool
    disabled_reason: str | None
    created_at: datetime
    version: int


class EndpointWithSecret(EndpointView):
    """Shown once. `secret` verifies deliveries with any Standard Webhooks library."""

    secret: str


class DeliveryTry(_View):
    """One request to the endpoint: its status, or what went wrong instead of one."""

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int


class DeliveryView(_View):
    """An event on its way to an endpoint. `webhook_id` is the same in every try: receivers know repetitions by it."""

    id: UUID
    endpoint_id: UUID
    webhook_id: str
    type: EventType
    state: DeliveryState
    created_at: datetime
    next_try_at: datetime | None
    tries: list[DeliveryTry]


class DeliveryEntry(_View):
    """A delivery in a list."""

    id: UUID
    webhook_id: str
    type: EventType
    state: DeliveryState
    created_at: datetime
    next_try_at: datetime | None
    attempts: int


# Rails, told by the operator: RailRegistration, of domain/registrations.py


class RailView(_View):
    """A rail as payments knows it. `registered_at`: when the switch last took us in; None: not yet."""

    name: str
    kind: str
    url: str
    payee_vpa: str
    rulebook: Rulebook
    registered_at: datetime | None
    trouble: str | None
