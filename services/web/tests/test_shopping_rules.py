"""How somebody gets a course: decided without any I/O."""

from __future__ import annotations

from datetime import UTC
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.web.api.filters import clock, minor, moment, qr, rate
from services.web.domain.shopping import Market, Offer
from services.web.tests.content_double import EPOCH
from suuupra.money import Money

COURSE, OTHER = UUID(int=1), UUID(int=2)


def offer(paise: int, course: UUID = COURSE, seats: int | None = None) -> Offer:
    return Offer(UUID(int=paise), course, "Rust", "Whole", Money(paise, "INR"), 180, seats)


@pytest.mark.parametrize(
    ("market", "state"),
    [
        (Market((offer(100),), frozenset()), "offered"),
        (Market((offer(100, OTHER),), frozenset()), "unsold"),
        (Market((offer(100),), frozenset({COURSE})), "owned"),
        (Market(None, frozenset({COURSE})), "owned"),
        (Market(None, frozenset()), "away"),
        (Market((offer(100),), None), "offered"),
    ],
)
def test_a_sold_course_is_offered_unless_it_is_owned_or_nothing_is_known(market: Market, state: str) -> None:
    assert market.sale(COURSE, "entitled").state == state


def test_an_open_course_is_open_whatever_is_sold() -> None:
    assert Market(None, None).sale(COURSE, "open").state == "open"


def test_whoever_may_read_all_of_it_is_offered_nothing() -> None:
    assert Market((offer(100),), None).sale(COURSE, "entitled", readable=True).state == "owned"


def test_the_best_offer_is_the_cheapest_that_has_seats() -> None:
    sale = Market((offer(300), offer(100, seats=0), offer(200, seats=3)), frozenset()).sale(
        COURSE, "entitled"
    )
    assert sale.best == offer(200, seats=3)


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        *((49900, "INR", "₹499.00"), (10000000, "INR", "₹1,00,000.00"), (5, "INR", "₹0.05")),
        *((1200, "JPY", "JP¥1,200"), (1234567, "KWD", "KWD1,234.567"), (-4990, "INR", "-₹49.90")),
    ],
)
def test_money_is_written_with_the_currencys_own_decimals(units: int, currency: str, text: str) -> None:
    assert minor(units, currency).replace("\xa0", "") == text


def test_rates_times_and_what_is_left_are_written_for_people() -> None:
    assert (rate(180), rate(125), rate(0)) == ("18%", "12.5%", "0%")
    written = '<time datetime="2026-11-23T09:00:00+00:00">23 November 2026, {}</time>'
    assert moment({"zone": ZoneInfo("Asia/Kolkata")}, EPOCH) == written.format("14:30 IST")
    assert moment({"zone": UTC}, EPOCH) == written.format("09:00 UTC")
    assert (clock(299), clock(60), clock(0)) == ("4:59", "1:00", "0:00")


def test_a_qr_code_is_a_picture_in_which_nothing_runs() -> None:
    code = qr("upi://pay?pa=suuupra@asha&am=499.00")
    assert code.startswith("data:image/svg+xml")
    assert '"' not in code
