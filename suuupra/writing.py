"""How people read what is exact: money, and several names in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from babel.numbers import format_currency

from suuupra.money import Money

LOCALE: Final = "en_IN"


class HasMinor(Protocol):
    """Money in any of its shapes: whole minor units and an ISO 4217 code."""

    @property
    def minor(self) -> int: ...
    @property
    def currency(self) -> str: ...


def money(amount: HasMinor) -> str:
    """Money for people, in India's grouping: ``₹499.00``, ``₹1,00,000.00``, ``¥1,200``. Decimals by ISO 4217, not by Babel."""
    exact = Money(amount.minor, amount.currency)
    decimals = "." + "0" * exact.exponent if exact.exponent else ""
    return format_currency(
        exact.decimal(), exact.currency, f"¤#,##,##0{decimals}", locale=LOCALE, currency_digits=False
    )


def rail(name: str) -> str:
    """A rail as people call it: ``UPI``; a rail of another kind by its name."""
    return name.upper() if name == "upi" or name.startswith("upi-") else name


def listed(names: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B and C``; nothing of no names."""
    return " and ".join(part for part in (", ".join(names[:-1]), "".join(names[-1:])) if part)
