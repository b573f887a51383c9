"""What others may know of commerce: its events and the models of its API. The only module they may import.

Amounts are minor units of `currency` (ISO 4217) in events; the API also tells them as text, and takes them only so.
Times are UTC.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from suuupra.amounts import Amount, AmountGiven, Currency
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

    It answers with refund.failed when it cannot. Reasons other than `requested` are M21: a payment that
    succeeded for an order that could no longer take it.
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


# The API

MOST_QUANTITY = 1000
"""Of one variant in one order."""
CouponCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{3,32}$", examples=["WELCOME10"])]
Quantity = Annotated[int, Field(ge=1, le=MOST_QUANTITY)]


class _Model(BaseModel):
    """Answers: a reader ignores what it does not know, so that fields may be added."""

    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    """Requests: a field that is not known is a mistake of the caller, and said."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# Products


class CourseOfProduct(_Model):
    """The course that a product opens, as it is published."""

    id: UUID
    slug: str
    title: str


class VariantView(_Model):
    """One way to buy a product. `prices`: one for each currency it can be bought in now, tax included.

    `seats_left` is null when seats are not limited.
    """

    id: UUID
    title: str
    prices: list[Amount]
    seats_left: int | None
    max_per_order: int
    active: bool


class ProductView(_Model):
    """Something that can be bought. `version` is its ETag and counts changes of the product and its variants."""

    id: UUID
    title: str
    description: str
    course: CourseOfProduct | None
    tax_permille: int
    sac: str
    active: bool
    variants: list[VariantView]
    version: int


# Carts


class NewCart(_Request):
    """A cart to begin. A user has one open cart: it is answered when it is there."""

    currency: Currency | None = None


class CartQuantity(_Request):
    """How many of a variant the cart is to hold; this also accepts its present price."""

    quantity: Quantity = 1


class CartCoupon(_Request):
    """The coupon to use."""

    code: CouponCode


class CartLine(_Model):
    """A line. `problem`: why it cannot be bought as it stands, in words; null when it can.

    `unit_before` is set when the price changed since the line was put: put it again to accept the new one.
    """

    product_id: UUID
    variant_id: UUID
    course: CourseOfProduct | None
    title: str
    quantity: int
    unit: Amount | None
    unit_before: Amount | None
    discount: Amount
    tax: Amount
    total: Amount
    problem: str | None


class CartView(_Model):
    """A cart at present prices, tax included. `coupon_problem`: why the coupon takes nothing off, in words."""

    id: UUID
    status: Literal["open", "ordered"]
    order_id: UUID | None
    currency: str
    lines: list[CartLine]
    coupon_code: str | None
    coupon_problem: str | None
    subtotal: Amount
    discount: Amount
    tax: Amount
    total: Amount
    orderable: bool


# Orders

OrderStatus = Literal[
    "draft", "pending_payment", "paid", "fulfilled", "canceled", "expired", "partially_refunded", "refunded"
]
PaymentStatus = Literal["none", "awaited", "failed", "succeeded", "returned"]


class NewOrder(_Request):
    """An order for what is in a cart. `total`: what the buyer was shown; when it is no longer that, nothing happens.

    `expires_in`: for how many seconds the order waits for its payment; as long as the shop has orders wait when absent.
    """

    cart_id: UUID
    total: AmountGiven | None = None
    expires_in: int | None = Field(default=None, ge=1, le=86_400)


class NewRefund(_Request):
    """Money to give back; without `amount` all that is left."""

    amount: AmountGiven | None = None


class OrderPayment(_Model):
    """A payment of the order. `returned`: it could not be taken and goes back by itself."""

    payment_id: UUID
    status: PaymentStatus
    amount: Amount | None
    code: str | None
    reason: str | None
    at: datetime


ShownRefundReason = Literal["requested", "order_expired", "order_canceled", "already_paid", "wrong_amount"]
"""`wrong_amount`: what was paid was not what the order asked for. Events call that `requested`, by commerce."""


class RefundView(_Model):
    """Money that went back (`done`), is about to (`requested`) or cannot (`failed`; `code` and `detail` say why)."""

    id: UUID
    payment_id: UUID
    amount: Amount
    reason: ShownRefundReason
    status: Literal["requested", "done", "failed"]
    requested_at: datetime
    refunded_at: datetime | None
    credit_note: str | None
    failed_at: datetime | None = None
    code: str | None = None
    detail: str | None = None


class TimelineEntry(_Model):
    """Something that happened. `ids`: of what took part, such as payment_id, refund_id, event_id, trace_id."""

    at: datetime
    what: str
    text: str
    ids: dict[str, str]


class OrderSummary(_Model):
    """An order in a list."""

    id: UUID
    number: str
    user_id: UUID
    status: OrderStatus
    titles: list[str]
    total: Amount
    created_at: datetime
    expires_at: datetime | None
    invoice_number: str | None


class OrderView(OrderSummary):
    """An order with its whole story. `payment`: where paying stands in one word."""

    lines: list[OrderLine]
    coupon_code: str | None
    subtotal: Amount
    discount: Amount
    tax: Amount
    payment: PaymentStatus
    payments: list[OrderPayment]
    paid_at: datetime | None
    refunds: list[RefundView]
    refunded: Amount
    refundable: Amount
    timeline: list[TimelineEntry]


class Entitlement(_Model):
    """A course that the user may study. `title` and `slug` are null until commerce has heard of the course."""

    course_id: UUID
    slug: str | None
    title: str | None
    order_id: UUID
    granted_at: datetime


class Entitlements(_Model):
    """The user's courses, the latest first."""

    items: list[Entitlement]
