"""Nothing is lost in dividing and exchanging: in currencies with 0, 2, 3 and 4 decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain import holds
from services.ledger.domain.accounts import account_of, opening
from services.ledger.domain.book import Book, accounts_of
from services.ledger.domain.exchange import Quote, exchanged, position
from services.ledger.domain.holds import Hold
from services.ledger.domain.journals import Draft, Leg, Transfer
from services.ledger.domain.refusals import Malformed
from suuupra.ids import new_id
from suuupra.money import Money, exponent_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CURRENCIES = {"JPY": 0, "INR": 2, "KWD": 3, "CLF": 4}
currencies = st.sampled_from(sorted(CURRENCIES))
amounts = st.integers(min_value=1, max_value=10**15)
rates = st.decimals(
    min_value=Decimal("0.000001"),
    max_value=Decimal("999999"),
    places=6,
    allow_nan=False,
    allow_infinity=False,
).map(lambda rate: f"{rate:f}")


def test_the_currencies_have_the_decimals_that_the_check_names() -> None:
    assert {currency: exponent_of(currency) for currency in CURRENCIES} == CURRENCIES


@settings(deadline=None, max_examples=300)
@given(currencies, currencies, amounts, rates)
def test_m17_an_exchange_balances_in_each_currency_and_is_off_by_half_a_minor_unit_at_most(
    sold: str, bought: str, amount: int, rate: str
) -> None:
    if sold == bought:
        return
    source, target = account_of(f"assets:cash:{sold}", "sold"), account_of(f"assets:cash:{bought}", "bought")
    try:
        made = exchanged(new_id(), source, target, amount, Quote(rate, "a test", NOW), None, NOW, "x", None)
    except Malformed:  # too little to make a minor unit, or too much for 64 bits
        return
    book = Book()
    for account in (source, target, position(sold), position(bought)):
        book.apply(opening(new_id(), account, NOW))
    book.apply(made)
    got = Money(book.totals[target.code].debits, bought)
    exact = Fraction(Money(amount, sold).decimal()) * Fraction(Decimal(rate))
    assert abs(Fraction(got.decimal()) - exact) <= Fraction(1, 2 * 10**got.exponent)
    for currency in (sold, bought):
        codes = [code for code in book.accounts if code.endswith(currency)]
        assert sum(book.totals[code].debits - book.totals[code].credits for code in codes) == 0
    assert book.totals[source.code].credits == amount


@settings(deadline=None, max_examples=300)
@given(currencies, st.lists(st.integers(1, 10**12), min_size=1, max_size=8), st.data())
def test_m17_a_part_of_a_hold_is_spread_over_its_legs_without_losing_a_minor_unit(
    currency: str, credited: list[int], data: st.DataObject
) -> None:
    whole = sum(credited)
    part = data.draw(st.integers(1, whole))
    legs = [Leg(f"revenue:part-{number}:{currency}", "credit", it) for number, it in enumerate(credited)]
    transfer = Transfer(currency, (Leg(f"assets:cash:{currency}", "debit", whole), *legs), pending=True)
    held = Draft(new_id(), "hold", NOW, "x", (transfer,))
    book = Book()
    for code in sorted(accounts_of([held])):
        book.apply(opening(new_id(), account_of(code, code), NOW))
    book.apply(held)
    book.apply(holds.posted(Hold(held, NOW), new_id(), NOW, part, None))
    assert book.totals[f"assets:cash:{currency}"].debits == part
    assert sum(totals.credits for totals in book.totals.values()) == part
    assert all(totals.pending_debits == totals.pending_credits == 0 for totals in book.totals.values())
    assert all(book.totals[leg.account].credits <= leg.amount for leg in legs)


@given(currencies, amounts, st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any))
def test_m17_shares_add_up(currency: str, amount: int, weights: list[int]) -> None:
    shares = Money(amount, currency).allocate(weights)
    assert sum(share.minor for share in shares) == amount
