"""Invoice numbers: by series and financial year, which turns at midnight of 1 April in India."""

from datetime import UTC, datetime

import pytest

from services.commerce.domain.invoices import LONGEST_NUMBER, Series, series_at


@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2026, 3, 31, 18, 29, 59, tzinfo=UTC), "25-26"),
        (datetime(2026, 3, 31, 18, 30, tzinfo=UTC), "26-27"),
        (datetime(2026, 12, 31, tzinfo=UTC), "26-27"),
        (datetime(2099, 5, 1, tzinfo=UTC), "99-00"),
    ],
)
def test_the_financial_year_turns_in_india(at: datetime, year: str) -> None:
    assert series_at("SU", at) == Series("SU", year)


def test_a_number_is_as_short_as_the_law_wants_it() -> None:
    series = Series("SUU", "26-27")
    assert Series("SU", "26-27").number(42) == "SU/26-27/000042"
    assert len(series.number(999_999)) <= LONGEST_NUMBER
    with pytest.raises(ValueError, match="from 1"):
        series.number(0)
