"""Whether a coupon may be used, and for what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.commerce.domain.coupons import Coupon, Good, Uses, covers, refusal
from services.commerce.domain.pricing import Fixed, Percent
from suuupra.money import Money

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = Good(UUID(int=1), "asha")
UNUSED = Uses(0, 0)
COUPON = Coupon(UUID(int=9), "WELCOME", Percent(100), None, None, None, None, None, 1, True)


def rule(coupon: Coupon, uses: Uses = UNUSED, now: datetime = NOW, currency: str = "INR") -> str | None:
    refused = refusal(coupon, [GOOD], currency, uses, now)
    return refused.rule if refused else None


def test_a_coupon_that_fits_is_not_refused() -> None:
    assert rule(COUPON) is None


@pytest.mark.parametrize(
    ("coupon", "said"),
    [
        (replace(COUPON, active=False), "offered"),
        (replace(COUPON, starts_at=NOW + HOUR), "valid only from"),
        (replace(COUPON, ends_at=NOW), "was valid until"),
        (replace(COUPON, discount=Fixed(Money(1, "JPY"))), "in JPY"),
        (replace(COUPON, owner="ben"), "for something in the cart"),
        (replace(COUPON, product_ids=frozenset([UUID(int=2)])), "for something in the cart"),
    ],
)
def test_a_coupon_that_does_not_fit_is_refused_with_the_reason(coupon: Coupon, said: str) -> None:
    assert said in (rule(coupon) or "")


def test_m19_validity_begins_and_ends_at_the_instant_by_the_clock_given() -> None:
    coupon = replace(COUPON, starts_at=NOW, ends_at=NOW + HOUR)
    instants = (NOW - timedelta(microseconds=1), NOW, NOW + HOUR - timedelta(microseconds=1), NOW + HOUR)
    assert [rule(coupon, now=now) is None for now in instants] == [False, True, True, False]


def test_uses_are_limited_for_all_and_for_each() -> None:
    limited = replace(COUPON, max_uses=2)
    assert rule(limited, Uses(1, 0)) is None
    assert "as often" in (rule(limited, Uses(2, 0)) or "")
    assert "once by each" in (rule(COUPON, Uses(1, 1)) or "")
    assert "3 times by each" in (rule(replace(COUPON, per_user=3), Uses(3, 3)) or "")
    assert rule(replace(COUPON, per_user=None), Uses(99, 99)) is None


def test_a_coupon_covers_its_owners_products_or_those_it_names() -> None:
    assert covers(COUPON, GOOD)
    assert covers(replace(COUPON, owner="asha"), GOOD)
    assert not covers(replace(COUPON, owner="asha", product_ids=frozenset([UUID(int=2)])), GOOD)
