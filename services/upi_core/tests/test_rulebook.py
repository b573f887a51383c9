"""The rulebook: what is in force when, what is scaled, and what a resource may not write."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.upi_core.domain.codes import MEANINGS, Code
from services.upi_core.domain.rulebook import INDIA, LAKH, Limit, Rulebook, day_of, over_cap, over_day, rrn_of
from services.upi_core.settings import Settings

TODAY = date(2026, 11, 30)


def test_education_may_pay_five_lakh_and_ten_a_day_and_persons_one() -> None:
    rules = Rulebook()
    education, persons = rules.limit_for("P2M", "8299", TODAY), rules.limit_for("P2P", "0000", TODAY)
    assert (education.per_transaction_minor, education.per_day_minor) == (5 * LAKH, 10 * LAKH)
    assert (persons.per_transaction_minor, persons.per_day_minor) == (LAKH, LAKH)
    assert rules.limit_for("P2M", "5411", TODAY).per_transaction_minor == LAKH
    assert rules.limit_for("P2M", "8299", date(2024, 1, 1)).per_transaction_minor == LAKH, "not in force yet"


def test_a_later_limit_replaces_an_earlier_one_from_its_day_on() -> None:
    old = Limit(kind="P2P", per_transaction_minor=1, per_day_minor=1)
    new = Limit(kind="P2P", per_transaction_minor=2, per_day_minor=2, effective_from=date(2027, 1, 1))
    rules = Rulebook(limits=(old, new))
    assert rules.limit_for("P2P", "0000", date(2026, 12, 31)) == old
    assert rules.limit_for("P2P", "0000", date(2027, 1, 1)) == new
    with pytest.raises(LookupError):
        rules.limit_for("P2M", "0000", TODAY)


@pytest.mark.parametrize(
    ("amount", "spent", "count", "code"),
    [
        (100, 0, 0, None),
        (101, 0, 0, Code.AMOUNT_CAP),
        (100, 200, 0, None),
        (100, 201, 0, Code.AMOUNT_CAP),
        (1, 0, 20, Code.FREQUENCY),
    ],
)
def test_u02_and_z7_at_their_edges(amount: int, spent: int, count: int, code: Code | None) -> None:
    limit = Limit(kind="P2P", per_transaction_minor=100, per_day_minor=300)
    assert (over_cap(limit, amount) or over_day(Rulebook(), limit, spent, count, amount)) is code


def test_a_day_is_a_day_in_india() -> None:
    assert day_of(datetime(2026, 11, 29, 18, 29, tzinfo=UTC)) == date(2026, 11, 29)
    assert day_of(datetime(2026, 11, 29, 18, 30, tzinfo=UTC)) == date(2026, 11, 30)
    assert day_of(datetime(2026, 11, 30, 0, 0, tzinfo=INDIA)) == date(2026, 11, 30)


def test_durations_are_scaled_and_npcis_own_are_the_default() -> None:
    assert Rulebook().scaled(Rulebook().first_check_after) == timedelta(seconds=90)
    assert Rulebook(scale=30).scaled(15) == timedelta(seconds=0.5)


def test_a_debit_is_credited_as_long_as_the_timers_before_it_may_take() -> None:
    assert Rulebook().completion == timedelta(seconds=300)
    assert Rulebook(scale=30, pay_timer=450).completion == timedelta(seconds=45)


def test_collect_is_closed_since_october_2025() -> None:
    assert Rulebook().takes_collect(date(2025, 9, 30))
    assert not Rulebook().takes_collect(date(2025, 10, 1))
    assert Rulebook(collect_until=None).takes_collect(TODAY)


def test_an_rrn_has_twelve_digits_and_tells_year_day_and_hour() -> None:
    assert rrn_of(datetime(2026, 11, 30, 4, 59, tzinfo=UTC), 1_000_042) == "633404000042"


@pytest.mark.parametrize(
    "wrong", [{"scale": 0}, {"payTimr": 15}, {"checkAttempts": 4}, {"limits": [{"kind": "P2X"}]}]
)
def test_a_rulebook_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rulebook.model_validate(wrong)


def test_settings_read_the_rulebook_as_the_operator_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAIL_RULEBOOK", '{"scale":30,"payTimer":15,"netDebitCaps":{"asha":100}}')
    monkeypatch.setenv("SUUUPRA_DATABASE_URL", "postgresql://a@b/c")
    settings = Settings(service="upi-core", issuer="i", audience="a", jwks="{}")
    assert (settings.rulebook.scale, settings.rulebook.net_debit_caps) == (30, {"asha": 100})


def test_every_code_has_its_words() -> None:
    assert set(MEANINGS) == set(Code)
