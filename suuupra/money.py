"""Money: a whole number of minor units and an ISO 4217 code, in one frozen type. Nothing here is ever a float."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, total_ordering
from typing import Annotated, Final

from iso4217 import Currency
from pydantic import Field

MAX_MINOR: Final = 2**63 - 1
"""Largest amount, in minor units: what a PostgreSQL bigint and a Kafka consumer in any language can hold."""
_AMOUNT = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,30}))?")


class MoneyError(ValueError):
    """Something that money cannot be."""


class UnknownCurrency(MoneyError):
    """Not an ISO 4217 currency with a minor unit."""


class CurrencyMismatch(MoneyError):
    """Amounts in different currencies were brought together."""


class MoneyOverflow(MoneyError):
    """The amount does not fit into 64 bits."""


class MoneyFormatError(MoneyError):
    """Text that is not an amount of that currency."""


@lru_cache(maxsize=512)
def exponent_of(currency: str) -> int:
    """How many decimals the currency has (ISO 4217): INR 2, JPY 0, KWD 3, CLF 4. Raises UnknownCurrency."""
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 currency code; write for example INR")
    return exponent


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """`Money(1234, "INR")` is ₹12.34. As JSON: `{"minor": 1234, "currency": "INR"}`."""

    minor: Annotated[int, Field(strict=True, ge=-MAX_MINOR, le=MAX_MINOR, description="Whole minor units.")]
    currency: Annotated[
        str, Field(min_length=3, max_length=3, description="ISO 4217 code.", examples=["INR"])
    ]

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(f"minor units are a whole number, not {type(self.minor).__name__}")
        exponent_of(self.currency)
        if abs(self.minor) > MAX_MINOR:
            raise MoneyOverflow(f"an amount has at most {MAX_MINOR} minor units")

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(0, currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """`"12.34"` in INR, exactly: digits, at most one point, no more decimals than the currency has."""
        exponent = exponent_of(currency)
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise MoneyFormatError(
                f"{text[:40]!r} is not an amount; write digits and a point, for example 12.34"
            )
        sign, whole, decimals = match[1], match[2], match[3] or ""
        if len(decimals) > exponent:
            allowed = f"at most {exponent} decimals" if exponent else "no decimals"
            raise MoneyFormatError(f"{text[:40]!r} has {len(decimals)} decimals; {currency} has {allowed}")
        return cls(int(f"{sign}{whole}{decimals.ljust(exponent, '0')}"), currency)

    @property
    def exponent(self) -> int:
        """Decimals of the currency."""
        return exponent_of(self.currency)

    def decimal(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(self.minor).scaleb(-self.exponent)

    def __str__(self) -> str:
        return f"{self.decimal():f} {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __mul__(self, factor: int) -> Money:
        if type(factor) is not int:
            raise MoneyError("money is multiplied by whole numbers; to take a share of it use allocate()")
        return Money(self.minor * factor, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def allocate(self, weights: Sequence[int]) -> list[Money]:
        """Shares in proportion to `weights` that add up to exactly this amount.

        What cannot be divided goes, one minor unit each, to the largest remainders, the earlier first among equals.
        """
        if not weights or min(weights) < 0 or sum(weights) == 0:
            raise MoneyError("weights are whole numbers from 0 on, and not all of them 0")
        sign = -1 if self.minor < 0 else 1
        divided = [divmod(abs(self.minor) * weight, sum(weights)) for weight in weights]
        left = abs(self.minor) - sum(share for share, _ in divided)
        favoured = sorted(range(len(weights)), key=lambda index: -divided[index][1])[:left]
        return [
            Money(sign * (share + (index in favoured)), self.currency)
            for index, (share, _) in enumerate(divided)
        ]

    def split(self, parts: int) -> list[Money]:
        """`parts` shares as equal as can be, which add up to exactly this amount."""
        return self.allocate([1] * parts)

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise MoneyError(f"money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix; convert one first")
        return other.minor


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of `amounts`, all in `currency`; nothing adds up to zero of it."""
    return sum(amounts, start=Money.zero(currency))
