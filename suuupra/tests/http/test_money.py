"""Money adds up. Check M17's arithmetic: currencies with 0, 2, 3 and 4 decimals, no minor unit lost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from suuupra.money import (
    MAX_MINOR,
    CurrencyMismatch,
    Money,
    MoneyError,
    MoneyFormatError,
    MoneyOverflow,
    UnknownCurrency,
    total,
)

currencies = st.sampled_from(["INR", "JPY", "KWD", "CLF"])
minors = st.integers(-MAX_MINOR, MAX_MINOR)
small = st.integers(-(10**12), 10**12)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any)


@given(minors, currencies)
def test_text_and_back_is_the_same_amount(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    text, code = str(money).split(" ")
    assert Money.parse(text, code) == money


@given(minors, currencies, weights)
def test_allocation_loses_nothing(minor: int, currency: str, shares: list[int]) -> None:
    money = Money(minor, currency)
    assert total(money.allocate(shares), currency) == money


@given(small, weights)
def test_each_share_is_within_one_minor_unit_of_its_proportion(minor: int, shares: list[int]) -> None:
    for share, weight in zip(Money(minor, "INR").allocate(shares), shares, strict=True):
        assert abs(share.minor * sum(shares) - minor * weight) < sum(shares)


@given(small, st.integers(1, 100))
def test_equal_parts_differ_by_at_most_one_minor_unit(minor: int, parts: int) -> None:
    shares = [share.minor for share in Money(minor, "INR").split(parts)]
    assert max(shares) - min(shares) <= 1


@given(small, small, small)
def test_addition_is_that_of_whole_numbers(a: int, b: int, c: int) -> None:
    x, y, z = (Money(minor, "INR") for minor in (a, b, c))
    assert (x + y) + z == x + (y + z) == Money(a + b + c, "INR")
    assert x - y == -(y - x) == x + -y
    assert (x < y) == (a < b)


@given(minors, currencies)
def test_json_and_back_is_the_same_amount(minor: int, currency: str) -> None:
    adapter = TypeAdapter(Money)
    money = Money(minor, currency)
    assert adapter.validate_json(adapter.dump_json(money)) == money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.34", "INR", 1234),
        ("-0.5", "INR", -50),
        ("7", "JPY", 7),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
    ],
)
def test_amounts_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency).minor == minor


@pytest.mark.parametrize("text", ["", "1,000.00", "1e3", " 1", "+1", ".5", "5.", "NaN", "１２", "--1", "₹5"])
def test_text_that_is_no_amount_is_refused_saying_how_one_looks(text: str) -> None:
    with pytest.raises(MoneyFormatError, match="write digits and a point"):
        Money.parse(text, "INR")


@pytest.mark.parametrize(
    ("text", "currency", "rule"), [("1.005", "INR", "at most 2 decimals"), ("1.0", "JPY", "no decimals")]
)
def test_too_many_decimals_are_refused_naming_how_many_there_may_be(
    text: str, currency: str, rule: str
) -> None:
    with pytest.raises(MoneyFormatError, match=rule):
        Money.parse(text, currency)


@pytest.mark.parametrize("code", ["", "inr", "XYZ", "XAU", "XXX", "INR "])
def test_codes_that_are_no_currency_with_a_minor_unit_are_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        Money(1, code)


@pytest.mark.parametrize("minor", [1.0, True, "1", Decimal(1), None])
def test_only_whole_numbers_are_minor_units(minor: object) -> None:
    with pytest.raises(MoneyError, match="whole number"):
        Money(minor, "INR")  # type: ignore[arg-type]


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "INR") + Money(1, "JPY")
    with pytest.raises(CurrencyMismatch):
        assert Money(1, "INR") < Money(1, "JPY")
    assert Money(0, "INR") != Money(0, "JPY")


def test_money_and_numbers_do_not_mix() -> None:
    with pytest.raises(MoneyError):
        Money(1, "INR") + 1  # type: ignore[operator]
    with pytest.raises(MoneyError, match="allocate"):
        Money(1, "INR") * 0.5  # type: ignore[operator]


def test_amounts_beyond_64_bits_are_refused() -> None:
    with pytest.raises(MoneyOverflow):
        Money(MAX_MINOR, "INR") + Money(1, "INR")
    with pytest.raises(MoneyOverflow):
        Money(MAX_MINOR, "INR") * 2
    with pytest.raises(MoneyOverflow):
        Money.parse("9" * 30, "INR")


@pytest.mark.parametrize("shares", [[], [0], [0, 0], [1, -1]])
def test_shares_that_say_nothing_are_refused(shares: list[int]) -> None:
    with pytest.raises(MoneyError, match="weights"):
        Money(10, "INR").allocate(shares)


@pytest.mark.parametrize(
    "document",
    [
        '{"minor": 1.5, "currency": "INR"}',
        '{"minor": "1", "currency": "INR"}',
        '{"minor": 1, "currency": "inr"}',
        '{"minor": 9223372036854775808, "currency": "INR"}',
        '{"minor": 1}',
    ],
)
def test_json_that_is_no_money_is_refused(document: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Money).validate_json(document)
