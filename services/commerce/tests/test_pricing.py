"""Prices, discounts and taxes are whole minor units that add up, in currencies with 0, 2, 3 and 4 decimals (M17)."""

from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.commerce.domain.pricing import (
    Discount,
    Fixed,
    Item,
    Percent,
    discount_of,
    price,
    tax_within,
)
from suuupra.money import CurrencyMismatch, Money, MoneyOverflow

CURRENCIES = ("JPY", "INR", "KWD", "CLF")
"""With 0, 2, 3 and 4 decimals."""

Rough = tuple[int, int, int, bool]
"""Unit price, quantity, tax in ‰, whether the coupon is for it."""

rough_items = st.lists(
    st.tuples(
        st.integers(0, 10**9), st.integers(1, 50), st.sampled_from([0, 50, 120, 180, 280]), st.booleans()
    ),
    min_size=1,
    max_size=12,
)
rough_discounts = st.one_of(
    st.none(),
    st.integers(1, 1000),
    st.integers(0, 10**10).map(lambda minor: -minor),
)
"""A share in ‰, or an amount as a negative number."""


def items_of(rough: list[Rough], currency: str) -> list[Item]:
    return [
        Item(UUID(int=place), Money(unit, currency), quantity, permille, discountable)
        for place, (unit, quantity, permille, discountable) in enumerate(rough)
    ]


def discount_given(rough: int | None, currency: str) -> Discount | None:
    if rough is None:
        return None
    return Percent(rough) if rough > 0 else Fixed(Money(-rough, currency))


@given(rough_items, rough_discounts, st.sampled_from(CURRENCIES))
@example([(1, 1, 180, True), (1, 1, 180, True), (1, 1, 180, True)], 500, "INR")
@example([(0, 1, 180, True), (100, 3, 50, True)], -1, "KWD")
def test_m17_no_minor_unit_is_lost_between_lines_and_sums(
    rough: list[Rough], discount: int | None, currency: str
) -> None:
    priced = price(items_of(rough, currency), currency, discount_given(discount, currency))
    assert priced.total == priced.subtotal - priced.discount
    assert sum(line.total.minor for line in priced.lines) == priced.total.minor
    assert sum(line.discount.minor for line in priced.lines) == priced.discount.minor
    assert sum(line.tax.minor for line in priced.lines) == priced.tax.minor
    for line in priced.lines:
        assert line.total == line.item.gross - line.discount
        assert 0 <= line.tax.minor <= line.total.minor
        assert 0 <= line.discount.minor <= line.item.gross.minor
        assert line.discount.minor == 0 or line.item.discountable


@given(rough_items, rough_discounts, st.sampled_from(CURRENCIES))
def test_m17_the_tax_of_each_rate_is_rounded_once_and_shared_to_within_one_minor_unit(
    rough: list[Rough], discount: int | None, currency: str
) -> None:
    priced = price(items_of(rough, currency), currency, discount_given(discount, currency))
    for rate in {line.item.tax_permille for line in priced.lines}:
        lines = [line for line in priced.lines if line.item.tax_permille == rate]
        gross = sum(line.total.minor for line in lines)
        exact = Fraction(gross * rate, 1000 + rate)
        whole = sum(line.tax.minor for line in lines)
        assert abs(whole - exact) <= Fraction(1, 2)
        for line in lines:
            share = Fraction(line.total.minor * whole, gross) if gross else Fraction(0)
            assert abs(line.tax.minor - share) < 1


@given(st.integers(0, 10**12), st.integers(1, 1000))
def test_a_share_is_rounded_half_up_and_never_more_than_the_whole(minor: int, permille: int) -> None:
    off = discount_of(Percent(permille), Money(minor, "INR"))
    assert abs(off.minor - Fraction(minor * permille, 1000)) <= Fraction(1, 2)
    assert off.minor <= minor


@pytest.mark.parametrize(
    ("gross", "permille", "tax"),
    [(49_900, 180, 7_612), (100, 0, 0), (118, 180, 18), (1, 180, 0), (4, 180, 1), (10_500, 50, 500)],
)
def test_the_tax_inside_a_gross_price(gross: int, permille: int, tax: int) -> None:
    assert tax_within(Money(gross, "INR"), permille) == Money(tax, "INR")


def test_a_fixed_coupon_takes_no_more_than_what_it_is_for() -> None:
    items = items_of([(10_000, 1, 180, True), (50_000, 1, 180, False)], "INR")
    priced = price(items, "INR", Fixed(Money(25_000, "INR")))
    assert [line.discount.minor for line in priced.lines] == [10_000, 0]
    assert priced.total == Money(50_000, "INR")


def test_a_whole_discount_leaves_nothing_to_pay_and_no_tax() -> None:
    priced = price(items_of([(49_900, 1, 180, True)], "INR"), "INR", Percent(1000))
    assert (priced.total.minor, priced.tax.minor, priced.discount.minor) == (0, 0, 49_900)


def test_nothing_costs_nothing() -> None:
    priced = price([], "JPY")
    assert (priced.lines, priced.total) == ((), Money(0, "JPY"))


def test_currencies_do_not_mix_and_sums_do_not_overflow() -> None:
    with pytest.raises(CurrencyMismatch):
        price(items_of([(1, 1, 0, True)], "INR"), "JPY")
    with pytest.raises(MoneyOverflow):
        price(items_of([(2**62, 4, 0, True)], "INR"), "INR")
