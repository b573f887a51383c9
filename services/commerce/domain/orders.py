"""An order's states, and what may happen in each. Nothing here knows of tables, topics or HTTP.

draft → pending_payment → paid → fulfilled → partially_refunded → refunded; from pending_payment also canceled and
expired. A payment that the order cannot take, because of its state or because it is of another amount, goes back by
itself: M21.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

Status = Literal[
    "draft", "pending_payment", "paid", "fulfilled", "canceled", "expired", "partially_refunded", "refunded"
]
Reason = Literal["requested", "order_expired", "order_canceled", "already_paid", "wrong_amount"]


@dataclass(frozen=True, slots=True)
class Draft:
    """Priced, and nothing promised yet."""


@dataclass(frozen=True, slots=True)
class PendingPayment:
    """Seats and coupon are held until `expires_at`, the first instant at which they are not."""

    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """How an order was paid. A free order is paid by no payment: `payment_id` is the order's own id."""

    payment_id: UUID
    paid_at: datetime
    invoice_number: str


@dataclass(frozen=True, slots=True)
class Paid:
    """The money is there; what was bought is not handed over yet."""

    by: Settled


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """The learner has what was bought."""

    by: Settled


@dataclass(frozen=True, slots=True)
class PartiallyRefunded:
    """Some of the money went back; what was bought stays."""

    by: Settled


@dataclass(frozen=True, slots=True)
class Refunded:
    """All of the money went back, and what was bought with it."""

    by: Settled


@dataclass(frozen=True, slots=True)
class Canceled:
    """The buyer withdrew."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody paid in time."""

    at: datetime


State = Draft | PendingPayment | Paid | Fulfilled | PartiallyRefunded | Refunded | Canceled | Expired


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back, of one payment. `currency` is None where it is the order's.

    `done_at` is None until payments said that it went, `failed_at` until it said that it cannot.
    """

    id: UUID
    payment_id: UUID
    amount_minor: int
    reason: Reason
    currency: str | None = None
    done_at: datetime | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order, as far as decisions need it. Amounts are minor units of `currency`."""

    id: UUID
    currency: str
    total_minor: int
    state: State
    refunds: tuple[Refund, ...] = ()

    def committed_minor(self, payment_id: UUID) -> int:
        """What of a payment went back or is about to."""
        return sum(
            refund.amount_minor
            for refund in self.refunds
            if refund.payment_id == payment_id and refund.failed_at is None
        )

    def refunded_minor(self, payment_id: UUID) -> int:
        """What of a payment went back."""
        return sum(
            refund.amount_minor
            for refund in self.refunds
            if refund.payment_id == payment_id and refund.done_at is not None
        )


def status_of(state: State) -> Status:
    """The state's name."""
    match state:
        case Draft():
            return "draft"
        case PendingPayment():
            return "pending_payment"
        case Paid():
            return "paid"
        case Fulfilled():
            return "fulfilled"
        case PartiallyRefunded():
            return "partially_refunded"
        case Refunded():
            return "refunded"
        case Canceled():
            return "canceled"
        case Expired():
            return "expired"
        case _ as never:
            assert_never(never)


def settled(order: Order) -> Settled | None:
    """How it was paid, or None when it was not."""
    match order.state:
        case Paid(by) | Fulfilled(by) | PartiallyRefunded(by) | Refunded(by):
            return by
        case Draft() | PendingPayment() | Canceled() | Expired():
            return None
        case _ as never:
            assert_never(never)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, and what to do."""

    rule: str
    fix: str


# Placing


def decide_placed(order: Order, expires_at: datetime) -> Order:
    """A draft that waits for its payment; ValueError when it is none, or costs nothing (see decide_paid)."""
    if order.state != Draft() or order.total_minor == 0:
        raise ValueError("only a draft with something to pay waits for a payment")
    return replace(order, state=PendingPayment(expires_at))


# Paying


@dataclass(frozen=True, slots=True)
class Accept:
    """It pays the order."""


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The order cannot take it: all of it goes back (M21)."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Known:
    """It was dealt with before."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """It cannot be: a person must look."""

    rule: str


OnPayment = Accept | GiveBack | Known | Impossible


def decide_payment(order: Order, payment_id: UUID, amount_minor: int, currency: str) -> OnPayment:
    """What becomes of a payment that succeeded. The order's state decides, not the clock: until it has expired it pays."""
    paid = settled(order)
    if paid is not None and paid.payment_id == payment_id:
        return Known()
    if any(refund.payment_id == payment_id for refund in order.refunds):
        return Known()
    match order.state:
        case PendingPayment():
            if (amount_minor, currency) != (order.total_minor, order.currency):
                return GiveBack("wrong_amount")
            return Accept()
        case Expired():
            return GiveBack("order_expired")
        case Canceled():
            return GiveBack("order_canceled")
        case Paid() | Fulfilled() | PartiallyRefunded() | Refunded():
            return GiveBack("already_paid")
        case Draft():
            return Impossible("must be for an order that waits for a payment")
        case _ as never:
            assert_never(never)


def decide_paid(order: Order, by: Settled) -> Order:
    """The order, paid. ValueError unless it waits for that, or is a draft that costs nothing."""
    free = order.state == Draft() and order.total_minor == 0
    if not (free or isinstance(order.state, PendingPayment)):
        raise ValueError(f"an order that is {status_of(order.state)} cannot become paid")
    return replace(order, state=Paid(by))


def decide_fulfilled(order: Order) -> Order:
    """The order, handed over. ValueError unless it is paid."""
    if not isinstance(order.state, Paid):
        raise ValueError(f"an order that is {status_of(order.state)} cannot become fulfilled")
    return replace(order, state=Fulfilled(order.state.by))


# Ending without a payment


def decide_expiry(order: Order, now: datetime) -> Order | datetime | None:
    """The order, expired; or when it is to be asked again; or None when it no longer expires."""
    match order.state:
        case PendingPayment(expires_at):
            return replace(order, state=Expired(now)) if now >= expires_at else expires_at
        case Draft() | Paid() | Fulfilled() | PartiallyRefunded() | Refunded() | Canceled() | Expired():
            return None
        case _ as never:
            assert_never(never)


def decide_cancel(order: Order, now: datetime) -> Order | Refused:
    """The order, canceled; canceling again changes nothing."""
    match order.state:
        case Draft() | PendingPayment():
            return replace(order, state=Canceled(now))
        case Canceled():
            return order
        case Expired():
            return Refused("must not have expired", "nothing is owed; begin a new order")
        case Paid() | Fulfilled() | PartiallyRefunded() | Refunded():
            return Refused("must not be paid yet", "ask support for a refund")
        case _ as never:
            assert_never(never)


# Giving money back


def decide_refund(order: Order, amount_minor: int | None, refund_id: UUID) -> Refund | Refused:
    """A refund of the order's payment: so much, or with None all that is left. Never more than was paid (M5)."""
    paid = settled(order)
    if paid is None or order.total_minor == 0:
        return Refused(
            "must be an order that was paid", "look at its status; what nobody paid needs no refund"
        )
    left = order.total_minor - order.committed_minor(paid.payment_id)
    wanted = left if amount_minor is None else amount_minor
    if left == 0:
        return Refused("must have something left to refund", "all of it went back, or is about to")
    if not 0 < wanted <= left:
        return Refused(f"must be from 1 to {left} minor units of {order.currency}, what is left", "send less")
    return Refund(refund_id, paid.payment_id, wanted, "requested")


@dataclass(frozen=True, slots=True)
class WentBack:
    """What a refund that was carried out makes of the order. `full`: nothing of its payment is left."""

    order: Order
    refund: Refund
    refunded_total_minor: int
    full: bool


def decide_refunded(order: Order, refund: Refund, done_at: datetime) -> WentBack | None:
    """The order after `refund` was carried out; None when that was known.

    A refund that payments began by itself is new here. One of a payment that the order never took (M21) leaves the
    order's state as it is.
    """
    if any(known.id == refund.id and known.done_at is not None for known in order.refunds):
        return None
    known_ids = {known.id for known in order.refunds}
    done = next((known for known in order.refunds if known.id == refund.id), refund)
    done = replace(done, done_at=done_at, failed_at=None)
    rest = tuple(known for known in order.refunds if known.id != done.id)
    after = replace(order, refunds=(*rest, done) if done.id in known_ids else (*order.refunds, done))
    back = after.refunded_minor(done.payment_id)
    paid = settled(order)
    if paid is None or paid.payment_id != done.payment_id:
        return WentBack(after, done, back, full=paid is None)
    full = back >= order.total_minor
    state: State = Refunded(paid) if full else PartiallyRefunded(paid)
    return WentBack(replace(after, state=state), done, back, full)


def decide_refund_failed(order: Order, refund_id: UUID, failed_at: datetime) -> Order | None:
    """The order after payments said that a refund cannot be made; None when it had an end before, or is not known.

    No money moved, so the order stays what it was and its buyer keeps what was bought; the amount is free again.
    """
    known = next((refund for refund in order.refunds if refund.id == refund_id), None)
    if known is None or known.done_at is not None or known.failed_at is not None:
        return None
    failed = replace(known, failed_at=failed_at)
    return replace(order, refunds=tuple(failed if it.id == refund_id else it for it in order.refunds))


def decide_retry(order: Order, failed: Refund, refund_id: UUID) -> Refund | Refused:
    """Another refund like one that failed, if its money has not been asked back otherwise since."""
    if failed.failed_at is None:
        return Refused("must be a refund that failed", "wait for it, or ask for another one")
    paid = settled(order)
    own = paid is not None and paid.payment_id == failed.payment_id
    committed = order.committed_minor(failed.payment_id)
    if committed and (not own or committed + failed.amount_minor > order.total_minor):
        return Refused(
            "must have its amount left to refund",
            "look at the refunds after it: it went back, or is about to",
        )
    return replace(failed, id=refund_id, failed_at=None)
