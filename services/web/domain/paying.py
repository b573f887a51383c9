"""What a checkout page says, decided from what commerce says of the order and payments of its payment.

Every state has its words and what to do next; that a bank is silent is a state and no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

OrderState = Literal["pending", "returned", "paid", "expired", "canceled", "partially_refunded", "refunded"]
"""`returned`: it is not paid, and what came for it goes back."""
AttemptState = Literal["open", "confirming", "unsure", "succeeded", "failed", "expired", "closed"]


@dataclass(frozen=True)
class Attempt:
    """One way tried to pay. `link` is what the QR code holds, while it may be used; `code` the rail's, of one that failed."""

    number: int
    state: AttemptState
    link: str | None = None
    expires_at: datetime | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Payment:
    """The payment of an order: the attempts so far, the last one last."""

    id: UUID
    succeeded: bool
    canceled: bool
    attempts: tuple[Attempt, ...]

    @property
    def last(self) -> Attempt | None:
        """The attempt that counts now."""
        return self.attempts[-1] if self.attempts else None


class Phase(StrEnum):
    """Where a checkout is."""

    PREPARING = "preparing"
    READY = "ready"
    SCAN = "scan"
    CONFIRMING = "confirming"
    UNSURE = "unsure"
    FAILED = "failed"
    SETTLING = "settling"
    PAID = "paid"
    ENDING = "ending"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REFUNDED = "refunded"


OVER: Final = frozenset({Phase.PAID, Phase.EXPIRED, Phase.CANCELED, Phase.REFUNDED})
"""Nothing changes any more, or only by somebody else's doing."""
_MOVING: Final = frozenset[AttemptState]({"open", "confirming", "unsure"})
"""An attempt by which money may still come: an open one until payments has heard that the order ended."""
MAY_CANCEL: Final = frozenset({Phase.PREPARING, Phase.READY, Phase.SCAN, Phase.FAILED})
MAY_TRY: Final = frozenset({Phase.READY, Phase.FAILED})


@dataclass(frozen=True)
class Words:
    """What happened, and what to do."""

    title: str
    advice: str


@dataclass(frozen=True)
class Checkout:
    """One moment of a checkout."""

    phase: Phase
    attempt: Attempt | None = None
    words: Words | None = None

    @property
    def mark(self) -> str:
        """Changes whenever the page would: what the page compares a live event with."""
        number = self.attempt.number if self.attempt else 0
        return f"{self.phase.value}-{number}"

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.phase in OVER

    @property
    def may_cancel(self) -> bool:
        """Whether the learner can still withdraw: not while money may be moving."""
        return self.phase in MAY_CANCEL

    @property
    def may_try(self) -> bool:
        """Whether the learner can begin a (further) attempt."""
        return self.phase in MAY_TRY


def checkout(order: OrderState, payment: Payment | None, *, till_away: bool = False) -> Checkout:
    """Where the checkout is. What commerce says of the order comes first: it decides what is paid and what has ended.

    An order that ended is not over while money may still move for it, or while payments cannot say (`till_away`).
    """
    last = payment.last if payment else None
    match order:
        case "paid":
            return Checkout(Phase.PAID, last)
        case "refunded" | "partially_refunded":
            return Checkout(Phase.REFUNDED, last)
        case "returned":
            return Checkout(Phase.REFUNDED, last, RETURNED)
        case "expired" | "canceled" if payment and payment.succeeded:
            return Checkout(Phase.REFUNDED, last, LATE)
        case "expired" | "canceled" if till_away or (last and last.state in _MOVING):
            return Checkout(Phase.ENDING, last, _CLOSING if last and last.state == "open" else _SILENT)
        case "expired":
            return Checkout(Phase.EXPIRED, last)
        case "canceled":
            return Checkout(Phase.CANCELED, last)
        case "pending":
            return _pending(payment)


def _pending(payment: Payment | None) -> Checkout:
    if payment is None:
        return Checkout(Phase.PREPARING)
    last = payment.last
    if payment.succeeded:
        return Checkout(Phase.SETTLING, last)
    if payment.canceled:
        return Checkout(Phase.PREPARING, last)
    if last is None:
        return Checkout(Phase.READY)
    match last.state:
        case "open":
            return Checkout(Phase.SCAN if last.link else Phase.PREPARING, last)
        case "confirming":
            return Checkout(Phase.CONFIRMING, last)
        case "unsure":
            return Checkout(Phase.UNSURE, last)
        case "succeeded":
            return Checkout(Phase.SETTLING, last)
        case "failed" | "expired":
            return Checkout(Phase.FAILED, last, words_of(last))
        case "closed":
            return Checkout(Phase.READY, last)


LATE: Final = Words(
    "Your money is on its way back",
    "The payment arrived after this order had ended, so it is refunded in full, by itself. You need to do nothing.",
)
_SILENT: Final = Words(
    "The order has ended, and a bank has not answered yet",
    "If your bank took the money, it comes back by itself. Do not pay again until this page says how it ended.",
)
_CLOSING: Final = Words(
    "The order is being closed",
    "Do not approve the payment any more. If you just have, the money comes back by itself. The page goes on by itself.",
)
RETURNED: Final = Words(
    "Your money is on its way back",
    "What was paid is not what this order asks for, so it is refunded in full, by itself. Order again to pay.",
)
_EXPIRED: Final = Words(
    "The QR code was not used in time",
    "Nothing was taken from your account. Show a new code and approve it in your UPI app.",
)
_UNKNOWN: Final = Words(
    "The payment did not go through",
    "Nothing was taken from your account, or it comes back by itself. Try again, or with another account.",
)
_AGAIN_LATER: Final = (
    "Nothing was taken from your account. Wait a minute and try again, or use another account."
)
_WORDS: Final[Mapping[str, Words]] = {
    "ZM": Words(
        "The UPI PIN was wrong",
        "Nothing was taken from your account. Try again and enter your PIN with care: after three wrong ones the bank blocks it for a day.",
    ),
    "Z6": Words(
        "The UPI PIN was wrong too often",
        "Nothing was taken from your account. Your bank has blocked the PIN for now: use another account, or set a new PIN in your UPI app.",
    ),
    "ZA": Words(
        "You declined the payment",
        "Nothing was taken from your account. If you did not mean to, show a new code and approve it.",
    ),
    "Z9": Words(
        "There is not enough money in the account",
        "Nothing was taken. Try again with another account, or when there is enough in this one.",
    ),
    "U69": _EXPIRED,
    "U02": Words(
        "The amount is above the limit for UPI",
        "Nothing was taken from your account. Buy fewer courses at once, or pay again tomorrow.",
    ),
    "Z8": Words(
        "The amount is above what your bank allows",
        "Nothing was taken from your account. Use an account of another bank, or buy fewer courses at once.",
    ),
    "Z7": Words(
        "Your account has made too many payments today",
        "Nothing was taken from your account. Use another account, or pay again tomorrow.",
    ),
    "U16": Words(
        "The payment was declined as a precaution",
        "Nothing was taken from your account. Use another account, or ask your bank.",
    ),
    "U09": Words("The payment took too long", _AGAIN_LATER),
    "U30": Words("Your bank could not take the money", _AGAIN_LATER),
    "U28": Words("Your bank cannot be reached", _AGAIN_LATER),
    "XY": Words("Your bank is not available", _AGAIN_LATER),
    "Y1": Words("Our bank is not available", _AGAIN_LATER),
    "U03": Words("Your bank takes no more payments for the moment", _AGAIN_LATER),
    "U31": Words(
        "The money could not be credited",
        "If it was taken from your account it comes back by itself, usually within minutes. You can try again now.",
    ),
    "U67": Words(
        "Your bank did not answer in time",
        "If money was taken from your account it comes back by itself. You can try again now.",
    ),
    "RR": Words(
        "The payment failed and your money is on its way back",
        "The bank returns it by itself, usually within minutes. You can try again now.",
    ),
}


def words_of(attempt: Attempt) -> Words:
    """What happened to an attempt that failed, and what to do: by the rail's code, else in the rail's own words."""
    if attempt.state == "expired":
        return _EXPIRED
    known = _WORDS.get(attempt.code or "")
    if known is not None:
        return known
    return Words(attempt.reason, _UNKNOWN.advice) if attempt.reason else _UNKNOWN
