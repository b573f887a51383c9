"""The algorithm behind common limits, and how a limit is divided among gateways."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api_gateway.domain import asking
from services.api_gateway.domain.gcra import MICROSECONDS, Bucket, Share, decide, share
from services.api_gateway.domain.routes import Limit, LimitBy

LIMITS = st.builds(
    lambda requests, unit, burst: Limit.model_validate({"rate": f"{requests}/{unit}", "burst": burst}),
    st.integers(1, 5000),
    st.sampled_from("smh"),
    st.integers(1, 20000),
)


def limit(rate: str, burst: int | None = None) -> Limit:
    return Limit.model_validate({"rate": rate, "burst": burst})


def test_a_burst_passes_and_the_next_waits_one_interval() -> None:
    bucket, full_at = Share(None, 3, MICROSECONDS), None
    for left in (2, 1, 0):
        said, full_at = decide(full_at, 0, bucket)
        assert (said.admitted, said.remaining) == (True, left)
    refused, kept = decide(full_at, 0, bucket)
    assert (refused.admitted, refused.wait, refused.remaining, kept) == (False, 1, 0, None)
    assert decide(full_at, MICROSECONDS, bucket)[0].admitted


def test_time_without_requests_fills_the_bucket_and_no_further() -> None:
    bucket, full_at = Share(None, 2, MICROSECONDS), None
    for _ in range(2):
        _, full_at = decide(full_at, 0, bucket)
    later = 3600 * MICROSECONDS
    admitted = 0
    for _ in range(5):
        said, moved = decide(full_at, later, bucket)
        admitted, full_at = admitted + said.admitted, moved or full_at
    assert admitted == 2


@given(
    st.lists(st.integers(0, 5 * MICROSECONDS), max_size=200),
    st.integers(1, 20),
    st.integers(1000, MICROSECONDS),
)
def test_no_window_admits_more_than_burst_and_rate(pauses: list[int], burst: int, interval: int) -> None:
    bucket, full_at, now, times = Share(None, burst, interval), None, 0, list[int]()
    for pause in pauses:
        now += pause
        said, moved = decide(full_at, now, bucket)
        full_at = moved or full_at
        if said.admitted:
            times.append(now)
    for first, begin in enumerate(times):
        for count, end in enumerate(times[first:], start=1):
            assert count <= burst + (end - begin) / interval + 1e-6


@given(LIMITS, st.integers(1, 20))
def test_t11_all_shares_together_are_the_limit_and_never_more(whole: Limit, gateways: int) -> None:
    found = share(whole, gateways)
    free = found.free or Bucket(0, 0, 1)
    assert found.burst + gateways * free.tokens == whole.bucket
    common = MICROSECONDS / found.interval
    total = common + gateways * free.fill / free.seconds
    assert total == pytest.approx(whole.rate.requests / whole.rate.seconds, rel=0.01)
    assert free.tokens <= whole.bucket / (4 * gateways)
    assert found.interval >= 1
    assert found.burst >= math.floor(whole.bucket * 0.75)


def test_a_limit_too_small_to_divide_is_asked_about_each_time() -> None:
    assert share(limit("1/m", 3), 1).free is None
    assert share(limit("20/s"), 2).free == Bucket(2, 2, 1)
    assert share(limit("1/m", 100), 2).free == Bucket(12, 1, 480)


def headers(by: LimitBy, subject: str = "-", address: str = "10.0.0.1", client: str = "-") -> dict[str, str]:
    rule = asking.rule(20, share(limit("20/s"), 1), by)
    return {
        asking.ROUTE: "content GET /v1/courses",
        asking.RULE: rule,
        asking.SUBJECT: subject,
        asking.CLIENT: client,
        asking.ADDRESS: address,
    }


def key(by: LimitBy, **who: str) -> str:
    return asking.read(headers(by, **who)).key


def test_t11_callers_are_told_apart_by_what_the_route_says_and_addresses_by_subscriber() -> None:
    one, other = "2001:db8:1:2::1", "2001:db8:1:2:ffff::9"
    assert key(LimitBy.ADDRESS, address=one) == key(LimitBy.ADDRESS, address=other)
    assert key(LimitBy.ADDRESS, address=one) != key(LimitBy.ADDRESS, address="2001:db8:1:3::1")
    assert key(LimitBy.ADDRESS, address="::ffff:10.0.0.1") == key(LimitBy.ADDRESS)
    assert key(LimitBy.SUBJECT, subject="a") != key(LimitBy.SUBJECT, subject="b")
    assert key(LimitBy.SUBJECT, subject="a", address=one) == key(LimitBy.SUBJECT, subject="a")
    assert key(LimitBy.CLIENT, client="web", subject="a") == key(LimitBy.CLIENT, client="web", subject="b")
    assert key(LimitBy.SUBJECT) == key(LimitBy.ADDRESS), "whoever shows no token is counted by address"
    assert key(LimitBy.SUBJECT, subject="address 10.0.0.1") != key(LimitBy.ADDRESS)


def test_a_key_shows_neither_subject_nor_address() -> None:
    assert "learner" not in key(LimitBy.SUBJECT, subject="learner")
    assert "10.0.0.1" not in key(LimitBy.ADDRESS)


@pytest.mark.parametrize(
    "change", [{asking.RULE: "1:2"}, {asking.RULE: "a:b:c:d"}, {asking.ADDRESS: "nowhere"}]
)
def test_what_is_no_question_of_ours_is_said_to_be_none(change: dict[str, str]) -> None:
    with pytest.raises(asking.Unreadable):
        asking.read(headers(LimitBy.ADDRESS) | change)
