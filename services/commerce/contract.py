"""What others may know of commerce: its events. Amounts are minor units of `currency` (ISO 4217); times are UTC."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from suuupra.events import Event


class OrderLine(BaseModel):
    """What was bought, as it was priced: `total_minor` = `unit_minor` × `quantity` − `discount_minor`, tax included.

    `tax_minor` is the tax inside `total_minor`; `tax_permille` its rate (GST of 18 % is 180); `sac` the service
    accounting code of the invoice (GST, India).
    """

    model_config = ConfigDict(frozen=True)

    product_id: UUID
    variant_id: UUID
    course_id: UUID | None
    title: str
    quantity: int
    unit_minor: int
    discount_minor: int
    tax_minor: int
    tax_permille: int
    total_minor: int
    sac: str = "999293"


class OrderCreated(Event):
    """An order waits for its payment until `expires_at`. Aggregate: the order. `number` is for people."""

    type: ClassVar[str] = "order.created"

    order_id: UUID
    number: str
    user_id: UUID
    lines: list[OrderLine]
    currency: str
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    created_at: datetime
    expires_at: datetime


class OrderPaid(Event):
    """The order is paid; its invoice has a number. Aggregate: the order."""

    type: ClassVar[str] = "order.paid"

    order_id: UUID
    number: str
    user_id: UUID
    payment_id: UUID
    invoice_number: str
    lines: list[OrderLine]
    currency: str
    tax_minor: int
    total_minor: int
    paid_at: datetime


class OrderExpired(Event):
    """Nobody paid in time. Aggregate: the order."""

    type: ClassVar[str] = "order.expired"

    order_id: UUID
    number: str
    user_id: UUID
    expired_at: datetime


class OrderCanceled(Event):
    """The learner withdrew the order before it was paid. Aggregate: the order."""

    type: ClassVar[str] = "order.canceled"

    order_id: UUID
    number: str
    user_id: UUID
    canceled_at: datetime


RefundReason = Literal["requested", "order_expired", "order_canceled", "already_paid"]


class RefundRequested(Event):
    """Money of a payment is to go back; payments does it and answers with payment.refunded. Aggregate: the order.

    Reasons other than `requested` are M21: a payment that succeeded for an order that could no longer take it.
    """

    type: ClassVar[str] = "refund.requested"

    refund_id: UUID
    order_id: UUID
    payment_id: UUID
    amount_minor: int
    currency: str
    reason: RefundReason
    requested_at: datetime


class OrderRefunded(Event):
    """Money of the order went back. `full` when nothing of it is left. Aggregate: the order."""

    type: ClassVar[str] = "order.refunded"

    order_id: UUID
    number: str
    user_id: UUID
    payment_id: UUID
    refund_id: UUID
    amount_minor: int
    refunded_total_minor: int
    currency: str
    reason: RefundReason
    full: bool
    refunded_at: datetime


class EntitlementGranted(Event):
    """A user may study a course. Aggregate: `entitlement_key`."""

    type: ClassVar[str] = "entitlement.granted"

    user_id: UUID
    course_id: UUID
    order_id: UUID
    granted_at: datetime


class EntitlementRevoked(Event):
    """A user may no longer study a course. Aggregate: `entitlement_key`."""

    type: ClassVar[str] = "entitlement.revoked"

    user_id: UUID
    course_id: UUID
    order_id: UUID
    revoked_at: datetime


EVENTS: tuple[type[Event], ...] = (
    OrderCreated,
    OrderPaid,
    OrderExpired,
    OrderCanceled,
    RefundRequested,
    OrderRefunded,
    EntitlementGranted,
    EntitlementRevoked,
)


def entitlement_key(user_id: UUID, course_id: UUID) -> str:
    """The aggregate of a user's right to a course: grants and revocations of one right stay in order."""
    return f"{user_id}:{course_id}"
