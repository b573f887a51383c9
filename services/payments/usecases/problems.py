"""What payments refuses, as problems with a name."""

from typing import assert_never
from uuid import UUID

from services.payments.domain.attempts import Refusal
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import Unrefundable
from suuupra.errors import Conflict, FieldError, Problem, invalid


class PaymentEnded(Conflict):
    """Paid or withdrawn: it takes no attempt and no cancellation any more."""

    slug, title = "payment-ended", "This payment has ended"


class AttemptInFlight(Conflict):
    """Money may be moving: how that ends must be known first."""

    slug, title = "attempt-in-flight", "A payment is being made right now"


class TooManyAttempts(Conflict):
    """Whoever has failed so often needs help, not another attempt."""

    slug, title = "too-many-attempts", "There were too many attempts"


class NotRefundable(Conflict):
    """There is no money, or not so much, to give back."""

    slug, title = "not-refundable", "This cannot be refunded"


class EndpointTaken(Conflict):
    """One endpoint per address: the same event is not sent there twice."""

    slug, title = "endpoint-taken", "There is an endpoint with this address"


class DeliveryUnderWay(Conflict):
    """It will be tried by itself."""

    slug, title = "delivery-under-way", "This delivery is on its way"


def refused(refusal: Refusal) -> Problem:
    """Why no attempt begins, or nothing is cancelled."""
    match refusal:
        case Refusal.SUCCEEDED:
            return PaymentEnded("It is paid. Nothing more is to be done.")
        case Refusal.CANCELED:
            return PaymentEnded("It was withdrawn with its order. Order again to pay.")
        case Refusal.TOO_LATE:
            return PaymentEnded("The time to pay is over. Order again to pay.")
        case Refusal.IN_FLIGHT:
            return AttemptInFlight(
                "An attempt is being processed. Wait until it has ended; nothing is charged twice.",
            )
        case Refusal.TOO_MANY:
            return TooManyAttempts("Ask support for help, or order again.")
        case _:
            assert_never(refusal)


def not_failed(refund_id: UUID) -> Problem:
    """Only what failed is tried again by people."""
    rule = "must be a refund that failed"
    error = FieldError("path.refund_id", rule, "wait for it, or ask for another one")
    return NotRefundable(f"The refund {refund_id} has not failed.", errors=[error])


def unrefundable(why: Unrefundable, payment: Payment) -> Problem:
    """Why no money goes back, naming the field."""
    left = payment.amount - payment.refunding
    match why:
        case Unrefundable.NOT_PAID:
            return NotRefundable("The payment has not succeeded, so there is nothing to give back.")
        case Unrefundable.NOTHING:
            return invalid("body.amount.minor", "must be more than nothing", "send 1 or more")
        case Unrefundable.TOO_MUCH:
            rule = f"must be at most what is left of the payment, {left}"
            error = FieldError("body.amount", rule, f"send {left.minor} minor units or less")
            return NotRefundable(f"Of {payment.amount} only {left} are left to refund.", errors=[error])
        case Unrefundable.OTHER_CURRENCY:
            currency = payment.amount.currency
            return invalid("body.amount.currency", f"must be the payment's, {currency}", f"send {currency}")
        case Unrefundable.ID_REUSED:
            return NotRefundable("A refund with this id and other content was made before.")
        case _:
            assert_never(why)
