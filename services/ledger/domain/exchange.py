"""Foreign exchange: two linked transfers over four accounts, exactly as the rate says, in whole minor units."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from services.ledger.domain.accounts import Account, account_of
from services.ledger.domain.journals import MAX_MINOR, Draft, Leg, Transfer
from services.ledger.domain.refusals import CurrencyMixed, Malformed
from suuupra.money import Money, exponent_of


@dataclass(frozen=True, slots=True)
class Quote:
    """How much of the second currency one unit of the first is, who says so, and when. `rate` is decimal text."""

    rate: str
    source: str
    at: datetime


def converted(amount: Money, currency: str, rate: str) -> Money:
    """`amount` in another currency, to the nearest minor unit, half to even. Raises Malformed."""
    exact = Fraction(Decimal(rate)) * amount.minor * Fraction(10) ** (exponent_of(currency) - amount.exponent)
    minor = round(exact)  # Python rounds a Fraction half to even
    if not 0 < minor <= MAX_MINOR:
        raise Malformed(
            "amount_minor",
            f"must make 1 to {MAX_MINOR} minor units of {currency}; at {rate} it makes {minor}",
            "send another amount, or correct the rate",
        )
    return Money(minor, currency)


def position(currency: str) -> Account:
    """The account between the two transfers in one currency: what was exchanged and not yet covered."""
    return account_of(f"equity:exchange:{currency}", f"Exchange position in {currency}")


def exchanged(
    journal_id: UUID,
    source: Account,
    target: Account,
    amount: int,
    quote: Quote,
    expected: int | None,
    at: datetime,
    description: str,
    reference: str | None,
) -> Draft:
    """Credit `source`, debit `target`. Raises CurrencyMixed and Malformed."""
    if source.currency == target.currency:
        raise CurrencyMixed(
            "target", f"must be in another currency than {source.currency}", "post a transfer instead"
        )
    given = Money(amount, source.currency)
    made = converted(given, target.currency, quote.rate)
    if expected is not None and expected != made.minor:
        raise Malformed(
            "target_minor",
            f"must be what the rate makes: {made.minor} minor units of {target.currency}",
            "send that, or leave it out",
        )
    out = _transfer(position(source.currency).code, source.code, given)
    into = _transfer(target.code, position(target.currency).code, made)
    details = {
        "rate": quote.rate,
        "rate_source": quote.source,
        "rate_at": quote.at.isoformat(),
        "rounding": "half-even",
    }
    return Draft(journal_id, "exchange", at, description, (out, into), reference=reference, details=details)


def _transfer(debited: str, credited: str, amount: Money) -> Transfer:
    legs = (Leg(debited, "debit", amount.minor), Leg(credited, "credit", amount.minor))
    return Transfer(amount.currency, legs)
