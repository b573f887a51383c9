"""What payments knows of a rail: one interface, whatever moves the money, and the words that every rail speaks.

A rail never answers a call with an outcome. It is handed messages (`Outgoing`), which are kept in the database and
sent when no transaction is open, and says what happened by messages of its own, which its adapter turns into an
`Outcome`. So a time-out is always «we do not know yet», and never a failure.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from services.payments.domain.events import Method
from services.payments.domain.payment import Attempt, Payment, Receipt, Refund
from suuupra.money import Money


@dataclass(frozen=True, slots=True)
class Rules:
    """The timers of a rail's rulebook, as they concern a merchant's PSP. See `of` for the rail's own values."""

    patience: timedelta
    """From our authorisation until the outcome counts as unknown: the rail's pay timer, twice over."""
    first_check: timedelta
    """From our authorisation until we ask how it ended for the first time."""
    next_check: timedelta
    """From one question to the next."""
    most_checks: int
    check_window: timedelta
    """No question later than this after our authorisation."""
    attempt_life: timedelta
    """How long a payer has to act."""
    retry_pauses: tuple[timedelta, ...]
    """Between the tries of a refund that the rail says has failed."""

    @classmethod
    def of(
        cls,
        *,
        scale: int = 1,
        pay_seconds: int = 15,
        first_check_seconds: int = 90,
        next_check_seconds: int = 90,
        most_checks: int = 3,
        check_window_seconds: int = 7200,
        attempt_seconds: int = 300,
    ) -> "Rules":
        """NPCI's values (OC 193 and 215 A for ChkTxn: first after 90 s, at most 3 within 2 h), all divided by `scale`.

        A person is not scaled: an attempt lives `attempt_seconds` on every rail.
        """
        retries = (60, 300, 1800, 7200, 21600)
        return cls(
            patience=timedelta(seconds=2 * pay_seconds) / scale,
            first_check=timedelta(seconds=first_check_seconds) / scale,
            next_check=timedelta(seconds=next_check_seconds) / scale,
            most_checks=most_checks,
            check_window=timedelta(seconds=check_window_seconds) / scale,
            attempt_life=timedelta(seconds=attempt_seconds),
            retry_pauses=tuple(timedelta(seconds=pause) / scale for pause in retries),
        )


NPCI: Final = Rules.of()


@dataclass(frozen=True, slots=True)
class Success:
    """The rail says that the money moved. `amount` as the rail says it."""

    transaction: str
    amount: Money | None = None
    payer: str = ""
    rrn: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The rail says that no money moved, or that it went back. `reason` is a sentence for the payer."""

    transaction: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class StillOpen:
    """The rail does not know yet."""

    transaction: str
    code: str


Outcome = Success | Failure | StillOpen


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to a rail, sent until it is acknowledged; after `useless_after` nobody needs it any more."""

    id: UUID
    rail: str
    api: str
    payment_id: UUID | None
    path: str
    body: str
    useless_after: datetime | None = None


class Rail(Protocol):
    """One rail. Implemented per kind in `clients/`."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> Rules: ...

    @property
    def methods(self) -> frozenset[Method]:
        """The ways to pay that it offers."""

    def takes(self, currency: str) -> bool:
        """Whether it moves money of that currency."""

    def new_transaction(self) -> str:
        """The id of a transaction that we begin."""

    def present(self, payment: Payment, attempt: Attempt) -> str:
        """What the payer scans or opens."""

    def ask_refund(self, payment: Payment, came: Receipt, refund: Refund, now: datetime) -> Outgoing:
        """Ask to give money that came back, under the last of the refund's transactions."""

    def ask_outcome(self, payment: Payment, transaction: str, now: datetime) -> Outgoing:
        """Ask how a transaction ended."""
