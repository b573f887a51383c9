"""The rails there are, each as something that satisfies `domain.rails.Rail`."""

from dataclasses import dataclass
from typing import Protocol

from joserfc.jwk import ECKey

from services.payments.clients.upi import Merchant, UpiRail
from services.payments.contract import RailRegistration
from services.payments.domain.events import Method
from services.payments.domain.rails import Rail, Rules
from services.payments.settings import Settings
from services.payments.store import rails as store
from services.payments.store.tables import RailRow
from suuupra.db import Transaction
from suuupra.errors import Conflict, FieldError, Unavailable


class NoRail(Unavailable):
    """No rail offers this way to pay, or there never was one of that name."""

    slug, title = "no-rail", "Payments cannot be taken right now"


class CurrencyNotTaken(Conflict):
    """The rails with this way to pay move other currencies."""

    slug, title = "currency-not-taken", "This currency cannot be paid this way"


class Rails(Protocol):
    """Where use cases get a rail from."""

    async def named(self, tx: Transaction, name: str) -> Rail:
        """The rail of that name. Raises NoRail."""

    async def offering(self, tx: Transaction, method: Method, currency: str) -> Rail:
        """A rail with that way to pay that currency. Raises NoRail, CurrencyNotTaken."""


@dataclass(frozen=True, slots=True)
class RailBook:
    """The rails in the database. `key` signs links; only a process that begins attempts needs it."""

    settings: Settings
    key: ECKey | None = None

    async def named(self, tx: Transaction, name: str) -> Rail:
        return await self.upi(tx, name)

    async def offering(self, tx: Transaction, method: Method, currency: str) -> Rail:
        rails = [self.rail_of(row) for row in await store.all_rails(tx)]
        offering = [rail for rail in rails if method in rail.methods]
        for rail in offering:
            if rail.takes(currency):
                return rail
        if offering:
            rule, fix = f"must be a method that moves {currency}", "order in another currency to pay this way"
            error = FieldError("body.method", rule, fix)
            raise CurrencyNotTaken(f"{method} moves no {currency}: {fix}.", errors=[error])
        raise NoRail(
            f"No rail takes {method} right now. Try again in a moment.", headers={"Retry-After": "5"}
        )

    async def upi(self, tx: Transaction, name: str) -> UpiRail:
        """The UPI rail of that name."""
        row = await store.rail(tx, name)
        if row is None:
            raise NoRail(f"The rail {name} is not there.", headers={"Retry-After": "30"})
        return self.rail_of(row)

    def rail_of(self, row: RailRow) -> UpiRail:
        """A rail as its row says it."""
        registration = RailRegistration.model_validate(row.registration)
        return UpiRail(row.name, registration, self._merchant, self._rules(registration), self.key)

    @property
    def _merchant(self) -> Merchant:
        told = self.settings
        return Merchant(
            told.merchant_code,
            told.merchant_name,
            told.merchant_category,
            told.merchant_account,
            told.own_url,
        )

    def _rules(self, registration: RailRegistration) -> Rules:
        book = registration.rulebook
        return Rules.of(
            scale=book.scale,
            pay_seconds=book.pay_timer,
            first_check_seconds=book.first_check_after,
            next_check_seconds=book.check_every,
            most_checks=book.check_attempts,
            check_window_seconds=book.check_within,
            attempt_seconds=self.settings.attempt_seconds,
        )
