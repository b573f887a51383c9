"""What payments refuses, as problems with a name."""

from typing import assert_never
from uuid import UUID

from services.payments.domain.attempts import MOST_ATTEMPTS, Refusal
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
            return _of_payment(PaymentEnded, "must not be paid yet", "nothing more is to be done")
        case Refusal.CANCELED:
            return _of_payment(PaymentEnded, "must not have been withdrawn", "order again to pay")
        case Refusal.TOO_LATE:
            return _of_payment(PaymentEnded, "must still be in time to be paid", "order again to pay")
        case Refusal.IN_FLIGHT:
            fix = "wait until it has ended; nothing is charged twice"
            return _of_payment(AttemptInFlight, "must have no attempt that is being processed", fix)
        case Refusal.TOO_MANY:
            rule = f"must have had fewer than {MOST_ATTEMPTS} attempts"
            return _of_payment(TooManyAttempts, rule, "ask support for help, or order again")
        case _:
            assert_never(refusal)


def not_failed(refund_id: UUID) -> Problem:
    """Only what failed is tried again by people."""
    rule = "must be a refund that failed"
    error = FieldError("path.refund_id", rule, "wait for it, or ask for another one")
    return NotRefundable(f"The refund {refund_id} has not failed.", errors=[error])


def _of_payment(kind: type[Problem], rule: str, fix: str) -> Problem:
    error = FieldError("path.payment_id", rule, fix)
    return kind(f"The payment {rule}: {fix}.", errors=[error])


def unrefundable(why: Unrefundable, payment: Payment) -> Problem:
    """Why no money goes back, naming the field."""
    left = payment.amount - payment.refunding
    match why:
        case Unrefundable.NOT_PAID:
            return _of_payment(
                NotRefundable, "must have succeeded", "wait for it; there is nothing to give back"
            )
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
            return _of_payment(NotRefundable, "must not have another refund of this id", "send another id")
        case _:
            assert_never(why)
