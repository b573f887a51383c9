"""From unit prices to a total, in whole minor units of one currency; what is divided adds up to what was there.

Prices include their tax (GST, India: the price on the tag is what is paid). Of a gross amount at `permille` the tax
is amount × permille / (1000 + permille). It is rounded once for all lines of one rate and then divided among them,
so that the invoice's tax is right to the minor unit however many lines it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never
from uuid import UUID

from suuupra.money import Money

MOST_PERMILLE = 1000
"""The whole of it: a coupon of 1000 ‰ makes free."""
STANDARD: Final = "standard-"
"""How the codes of the platform's own price lists begin: each holds everybody's usual prices in one currency."""


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of what the coupon is for."""

    permille: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """An amount, at most what the coupon is for."""

    amount: Money


Discount = Percent | Fixed


@dataclass(frozen=True, slots=True)
class Item:
    """So many of a variant. `discountable`: the coupon is for it."""

    variant_id: UUID
    unit: Money
    quantity: int
    tax_permille: int
    discountable: bool = True

    @property
    def gross(self) -> Money:
        """Before any discount."""
        return self.unit * self.quantity


@dataclass(frozen=True, slots=True)
class Line:
    """A priced item: `total` = unit × quantity − `discount`, and `tax` is inside `total`."""

    item: Item
    discount: Money
    tax: Money
    total: Money


@dataclass(frozen=True, slots=True)
class Priced:
    """All lines with their sums: `total` = `subtotal` − `discount`."""

    lines: tuple[Line, ...]
    subtotal: Money
    discount: Money
    tax: Money
    total: Money


def standard_code(currency: str) -> str:
    """What the list with everybody's usual prices in a currency is called."""
    return STANDARD + currency.lower()


def price(items: Sequence[Item], currency: str, discount: Discount | None = None) -> Priced:
    """Every item priced. Raises CurrencyMismatch when one is in another currency, MoneyOverflow beyond 64 bits."""
    grosses = [item.gross for item in items]
    subtotal = sum(grosses, start=Money.zero(currency))
    discounts = _discounts(items, currency, discount)
    totals = [gross - less for gross, less in zip(grosses, discounts, strict=True)]
    taxes = _taxes(items, totals)
    lines = tuple(
        Line(item, less, tax, total)
        for item, less, tax, total in zip(items, discounts, taxes, totals, strict=True)
    )
    zero = Money.zero(currency)
    return Priced(
        lines,
        subtotal,
        sum(discounts, start=zero),
        sum(taxes, start=zero),
        sum(totals, start=zero),
    )


def discount_of(discount: Discount, eligible: Money) -> Money:
    """What a discount takes off `eligible`: never more than that; a share is rounded half up."""
    match discount:
        case Percent(permille):
            return Money(_half_up(eligible.minor * permille, MOST_PERMILLE), eligible.currency)
        case Fixed(amount):
            return min(amount, eligible)
        case _ as never:
            assert_never(never)


def tax_within(gross: Money, permille: int) -> Money:
    """The tax inside a gross amount, rounded half up."""
    return Money(_half_up(gross.minor * permille, 1000 + permille), gross.currency)


def _discounts(items: Sequence[Item], currency: str, discount: Discount | None) -> list[Money]:
    """Each item's part of the discount, in proportion to its price."""
    weights = [item.gross.minor if item.discountable else 0 for item in items]
    eligible = Money(sum(weights), currency)
    if discount is None or eligible.minor == 0:
        return [Money.zero(currency) for _ in items]
    return discount_of(discount, eligible).allocate(weights)


def _taxes(items: Sequence[Item], totals: Sequence[Money]) -> list[Money]:
    """Each line's tax: of one rate rounded once, then divided in proportion to the lines' totals."""
    taxes = [Money.zero(total.currency) for total in totals]
    for rate in {item.tax_permille for item in items}:
        places = [place for place, item in enumerate(items) if item.tax_permille == rate]
        weights = [totals[place].minor for place in places]
        whole = Money(sum(weights), totals[places[0]].currency)
        if whole.minor == 0:
            continue
        shares = tax_within(whole, rate).allocate(weights)
        for place, share in zip(places, shares, strict=True):
            taxes[place] = share
    return taxes


def _half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator of numbers from 0 on, halves rounded up."""
    return (2 * numerator + denominator) // (2 * denominator)
