"""What the books take and refuse, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ledger.domain import holds
from services.ledger.domain.accounts import Totals, account_of, change, opening
from services.ledger.domain.book import Book
from services.ledger.domain.exchange import Quote, converted, exchanged
from services.ledger.domain.holds import Hold
from services.ledger.domain.journals import MAX_MINOR, Draft, Kind, Leg, Side, Transfer, same_content
from services.ledger.domain.payments import refunded, succeeded
from services.ledger.domain.refusals import (
    AccountClosed,
    AccountInUse,
    BoundBroken,
    CodeTaken,
    CurrencyMixed,
    HoldResolved,
    Malformed,
    Overflow,
    Refusal,
    Unbalanced,
    UnknownAccount,
)
from services.ledger.tests.events import payment, refund
from suuupra.ids import new_id
from suuupra.money import Money

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CASH, SALES, DOLLARS = "assets:cash:INR", "revenue:courses:INR", "assets:cash:USD"


def legs(*given: tuple[str, Side, int], currency: str = "INR", pending: bool = False) -> Transfer:
    return Transfer(currency, tuple(Leg(*leg) for leg in given), pending)


def move(debited: str, credited: str, amount: int, *, kind: Kind = "transfer") -> Draft:
    pending = kind == "hold"
    return draft(legs((debited, "debit", amount), (credited, "credit", amount), pending=pending), kind=kind)


def draft(*transfers: Transfer, kind: Kind = "transfer") -> Draft:
    return Draft(new_id(), kind, NOW, "a test", transfers)


def book_with(*codes: str, minimum: int | None = None, maximum: int | None = None) -> Book:
    book = Book()
    for code in codes:
        book.apply(opening(new_id(), account_of(code, code, minimum=minimum, maximum=maximum), NOW))
    return book


def test_a_journal_moves_what_its_legs_say() -> None:
    book = book_with(CASH, SALES)
    book.apply(move(CASH, SALES, 500))
    assert book.totals[CASH] == Totals(debits=500)
    assert book.totals[SALES].balance("credit") == 500


@pytest.mark.parametrize(
    ("transfers", "refusal", "field"),
    [
        ([legs((CASH, "debit", 5), (SALES, "credit", 4))], Unbalanced, "transfers[0].legs"),
        (
            [legs((CASH, "debit", 5), ("assets:none:INR", "credit", 5))],
            UnknownAccount,
            "transfers[0].legs[1].account",
        ),
        ([legs((CASH, "debit", 5), (DOLLARS, "credit", 5))], CurrencyMixed, "transfers[0].legs[1].account"),
        ([legs((CASH, "debit", 0), (SALES, "credit", 0))], Malformed, "transfers[0].legs[0].amount_minor"),
        ([legs((CASH, "debit", -5), (SALES, "credit", -5))], Malformed, "transfers[0].legs[0].amount_minor"),
        (
            [legs((CASH, "debit", 2**63), (SALES, "credit", 2**63))],
            Malformed,
            "transfers[0].legs[0].amount_minor",
        ),
        ([], Malformed, "transfers"),
        ([Transfer("INR", ())], Unbalanced, "transfers[0].legs"),
    ],
)
def test_what_can_never_be_posted_is_refused_by_field(
    transfers: list[Transfer], refusal: type[Refusal], field: str
) -> None:
    book = book_with(CASH, SALES, DOLLARS)
    with pytest.raises(refusal) as found:
        book.apply(draft(*transfers))
    assert found.value.field == field
    assert all(totals == Totals() for totals in book.totals.values())


def test_linked_transfers_are_made_together_or_not_at_all() -> None:
    book = book_with(CASH, SALES, DOLLARS)
    with pytest.raises(CurrencyMixed):
        book.apply(
            draft(
                legs((CASH, "debit", 5), (SALES, "credit", 5)),
                legs((CASH, "debit", 5), (DOLLARS, "credit", 5)),
            )
        )
    assert book.totals[CASH] == Totals()


def test_a_sum_beyond_64_bits_is_refused() -> None:
    book = book_with(CASH, SALES)
    book.apply(move(CASH, SALES, MAX_MINOR))
    with pytest.raises(Overflow):
        book.apply(move(CASH, SALES, 1))


def test_bounds_count_holds_as_if_they_were_posted() -> None:
    book = book_with(SALES)
    book.apply(opening(new_id(), account_of(CASH, "cash", minimum=0, maximum=1000), NOW))
    book.apply(move(CASH, SALES, 600))
    book.apply(move(SALES, CASH, 400, kind="hold"))
    with pytest.raises(BoundBroken, match="would be -1"):
        book.apply(move(SALES, CASH, 201))
    with pytest.raises(BoundBroken, match="1000 or less"):
        book.apply(move(CASH, SALES, 401))
    book.apply(move(SALES, CASH, 200))
    assert book.totals[CASH].lowest("debit") == 0


def test_a_closed_account_takes_nothing_and_only_an_empty_one_is_closed() -> None:
    from dataclasses import replace

    book = book_with(CASH, SALES)
    book.apply(move(CASH, SALES, 1))
    closed = replace(book.accounts[CASH], state="closed")
    with pytest.raises(AccountInUse):
        book.apply(change(new_id(), closed, NOW))
    book.apply(move(SALES, CASH, 1))
    book.apply(change(new_id(), closed, NOW))
    with pytest.raises(AccountClosed):
        book.apply(move(CASH, SALES, 1))


def test_what_an_account_is_never_changes() -> None:
    from dataclasses import replace

    book = book_with(CASH)
    with pytest.raises(CodeTaken):
        book.apply(opening(new_id(), account_of(CASH, "again"), NOW))
    with pytest.raises(Malformed, match="keep code, kind"):
        book.apply(change(new_id(), replace(book.accounts[CASH], side="credit"), NOW))


@pytest.mark.parametrize(
    "code", ["cash:INR", "assets:INR", "assets:cash:INX", "assets:cash:inr", "money:cash:INR", ""]
)
def test_a_code_that_is_none_is_refused(code: str) -> None:
    with pytest.raises(Malformed):
        account_of(code, "x")


def test_a_hold_is_posted_in_part_and_the_rest_released() -> None:
    book = book_with(CASH, SALES)
    held = move(CASH, SALES, 1000, kind="hold")
    book.apply(held)
    assert book.totals[CASH] == Totals(pending_debits=1000)
    book.apply(holds.posted(Hold(held, NOW), new_id(), NOW, 300, None))
    assert book.totals[CASH] == Totals(debits=300)
    assert book.totals[SALES] == Totals(credits=300)


@pytest.mark.parametrize("amount", [0, 1001])
def test_more_than_is_held_cannot_be_posted(amount: int) -> None:
    held = Hold(move(CASH, SALES, 1000, kind="hold"), NOW)
    with pytest.raises(Malformed, match="1 to 1000"):
        holds.posted(held, new_id(), NOW, amount, None)


def test_a_part_of_several_linked_transfers_cannot_be_posted() -> None:
    one = legs((CASH, "debit", 5), (SALES, "credit", 5), pending=True)
    with pytest.raises(Malformed, match="several linked"):
        holds.posted(Hold(draft(one, one, kind="hold"), NOW), new_id(), NOW, 3, None)


def test_a_hold_ends_at_its_time() -> None:
    hold = Hold(move(CASH, SALES, 5, kind="hold"), NOW + timedelta(hours=1))
    holds.check_pending(hold, NOW)
    with pytest.raises(HoldResolved, match="expired"):
        holds.check_pending(hold, NOW + timedelta(hours=1))
    with pytest.raises(HoldResolved, match="voided"):
        holds.check_pending(Hold(hold.draft, hold.expires_at, "voided"), NOW)


def test_a_reversal_is_the_mirror_image() -> None:
    book = book_with(CASH, SALES)
    made = move(CASH, SALES, 5)
    book.apply(made)
    reversal = holds.reversed_(made, new_id(), NOW, "a mistake")
    book.apply(reversal)
    assert book.totals[CASH].balance("debit") == 0
    assert reversal.related == made.id
    with pytest.raises(Malformed):
        holds.reversed_(reversal, new_id(), NOW, "again")
    with pytest.raises(Malformed):
        holds.reversed_(move(CASH, SALES, 5, kind="hold"), new_id(), NOW, "a hold")


def test_a_payment_and_its_refund_leave_tax_and_clearing_at_zero() -> None:
    paid = payment(49900, 7612)
    back = refund(paid, 49900, 7612)
    book = book_with("assets:upi-clearing:INR", SALES, "liabilities:gst-output:INR")
    book.apply(opening(new_id(), account_of("revenue:refunds:INR", "refunds", contra=True), NOW))
    book.apply(succeeded(paid))
    assert book.totals[SALES].balance("credit") == 42288
    assert book.totals["assets:upi-clearing:INR"].balance("debit") == 49900
    book.apply(refunded(back))
    left = {code: book.totals[code].balance(account.side) for code, account in book.accounts.items()}
    assert left == {
        "assets:upi-clearing:INR": 0,
        "liabilities:gst-output:INR": 0,
        SALES: 42288,
        "revenue:refunds:INR": 42288,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"amount_minor": 0},
        {"amount_minor": -5},
        {"amount_minor": 2**63},
        {"tax_minor": 49901},
        {"tax_minor": -1},
        {"currency": "INX"},
        {"rail": "UPI rail"},
        {"succeeded_at": datetime(2026, 1, 1)},
        {"succeeded_at": datetime(1999, 12, 31, tzinfo=UTC)},
    ],
)
def test_a_payment_that_can_never_be_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        succeeded(payment(49900, 7612).model_copy(update=more))


def test_m4_content_tells_a_duplicate_from_a_reused_id() -> None:
    paid = payment()
    assert same_content(succeeded(paid), succeeded(paid))
    for more in (
        {"amount_minor": 49901},
        {"tax_minor": 0},
        {"rrn": "1"},
        {"currency": "USD"},
        {"order_id": new_id()},
    ):
        assert not same_content(succeeded(paid), succeeded(paid.model_copy(update=more)))


def test_an_exchange_has_four_legs_in_two_linked_transfers_and_keeps_its_rate() -> None:
    quote = Quote("0.011976", "a bank", NOW)
    made = exchanged(
        new_id(),
        account_of(CASH, "a"),
        account_of(DOLLARS, "b"),
        100000,
        quote,
        None,
        NOW,
        "buy dollars",
        None,
    )
    assert [(leg.account, leg.side, leg.amount) for _, _, _, leg in made.legs()] == [
        ("equity:exchange:INR", "debit", 100000),
        (CASH, "credit", 100000),
        (DOLLARS, "debit", 1198),
        ("equity:exchange:USD", "credit", 1198),
    ]
    assert made.details["rate"] == "0.011976"
    assert made.details["rate_source"] == "a bank"
    with pytest.raises(CurrencyMixed):
        exchanged(new_id(), account_of(CASH, "a"), account_of(CASH, "b"), 1, quote, None, NOW, "x", None)
    with pytest.raises(Malformed, match="1198"):
        exchanged(
            new_id(), account_of(CASH, "a"), account_of(DOLLARS, "b"), 100000, quote, 1197, NOW, "x", None
        )
    with pytest.raises(Malformed, match="makes 0"):
        converted(Money(1, "INR"), "USD", "0.0001")
