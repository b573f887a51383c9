"""What others may know of payments: its events. Amounts are minor units of `currency` (ISO 4217); times are UTC."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from suuupra.events import Event


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


EVENTS: tuple[type[Event], ...] = (PaymentSucceeded, PaymentFailed, PaymentRefunded)
