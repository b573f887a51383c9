"""The algorithm behind common limits, and how a limit is divided among gateways."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api_gateway.domain import asking, fields
from services.api_gateway.domain.gcra import (
    MICROSECONDS,
    Bucket,
    Left,
    Share,
    Verdict,
    decide,
    share,
    shares,
    whole,
)
from services.api_gateway.domain.routes import Limit, LimitBy

LIMITS = st.builds(
    lambda requests, unit, burst: Limit.model_validate({"rate": f"{requests}/{unit}", "burst": burst}),
    st.integers(1, 5000),
    st.sampled_from("smh"),
    st.integers(1, 20000),
)


ANY_LIMITS = st.builds(
    lambda requests, unit, burst: Limit.model_validate({"rate": f"{requests}/{unit}", "burst": burst}),
    st.integers(1, 10**9 - 1),
    st.sampled_from("smh"),
    st.none() | st.integers(1, 10**9),
)
"""Whatever a status may say."""


def limit(rate: str, burst: int | None = None, by: str = "address") -> Limit:
    return Limit.model_validate({"rate": rate, "burst": burst, "by": by})


def alone(full_at: int | None, now: int, bucket: Share) -> tuple[bool, Left, int | None]:
    """What becomes of a request with one bucket."""
    said, moved = decide([full_at], now, [bucket])
    return said.admitted, said.left[0], moved[0] if moved else None


def test_a_burst_passes_and_the_next_waits_one_interval() -> None:
    bucket, full_at = Share(None, 3, MICROSECONDS), None
    for remaining in (2, 1, 0):
        admitted, left, full_at = alone(full_at, 0, bucket)
        assert (admitted, left.remaining) == (True, remaining)
    admitted, left, kept = alone(full_at, 0, bucket)
    assert (admitted, left.wait, left.remaining, kept) == (False, 1, 0, None)
    assert alone(full_at, MICROSECONDS, bucket)[0]


def test_t11_of_several_limits_all_must_allow_and_a_refused_request_takes_from_none() -> None:
    both = [Share(None, 5, MICROSECONDS), Share(None, 2, 60 * MICROSECONDS)]
    full_at: list[int | None] = [None, None]
    for _ in range(2):
        said, moved = decide(full_at, 0, both)
        assert said.admitted
        assert moved
        full_at = list(moved)
    refused, kept = decide(full_at, 0, both)
    assert (refused.admitted, kept) == (False, None)
    assert [one.remaining for one in refused.left] == [3, 0]
    assert decide(full_at[:1], 0, both[:1])[0].left[0].remaining == 2, "the first still has what it had"


def test_whoever_is_refused_by_several_waits_for_the_slowest() -> None:
    both = [Share(None, 1, 2 * MICROSECONDS), Share(None, 1, 60 * MICROSECONDS)]
    _, moved = decide([None, None], 0, both)
    assert moved
    refused, _ = decide(moved, 0, both)
    assert [one.wait for one in refused.left] == [2, 60]
    assert refused.wait == 60
    later, _ = decide(moved, 30 * MICROSECONDS, both)
    assert (later.admitted, [one.wait for one in later.left], later.wait) == (False, [0, 30], 30)


@given(
    st.lists(st.tuples(st.integers(0, 5 * MICROSECONDS), st.booleans()), max_size=100),
    st.integers(1, 10),
    st.integers(1, 10),
)
def test_t11_no_limit_of_several_is_exceeded_whoever_calls(
    calls: list[tuple[int, bool]], mine: int, ours: int
) -> None:
    """One bucket for each of two users, and one for the client that both use."""
    each, client = Share(None, mine, 3 * MICROSECONDS), Share(None, ours, 2 * MICROSECONDS)
    kept: dict[str, int | None] = {}
    now, taken = 0, dict[str, int]()
    for pause, second in calls:
        now += pause
        names = [f"user {second}", "client"]
        said, moved = decide([kept.get(name) for name in names], now, [each, client])
        for name, at in zip(names, moved or (), strict=bool(moved)):
            kept[name], taken[name] = at, taken.get(name, 0) + 1
        if not said.admitted:
            assert moved is None
            assert any(one.wait > 0 for one in said.left)
    for name, count in taken.items():
        bucket = client if name == "client" else each
        assert count <= bucket.burst + now / bucket.interval + 1


def test_time_without_requests_fills_the_bucket_and_no_further() -> None:
    bucket, full_at = Share(None, 2, MICROSECONDS), None
    for _ in range(2):
        _, _, full_at = alone(full_at, 0, bucket)
    later = 3600 * MICROSECONDS
    admitted = 0
    for _ in range(5):
        passed, _, moved = alone(full_at, later, bucket)
        admitted, full_at = admitted + passed, moved or full_at
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
        passed, _, moved = alone(full_at, now, bucket)
        full_at = moved or full_at
        if passed:
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


@given(ANY_LIMITS, st.integers(1, 20))
def test_t11_even_the_highest_rate_has_an_interval_and_none_is_exceeded(one: Limit, gateways: int) -> None:
    """At more than a request per microsecond an interval of 0 would be no limit, and nothing to divide by."""
    rate = Fraction(one.rate.requests, one.rate.seconds)
    for found in (whole(one), share(one, gateways)):
        assert found.interval >= 1
        free = Fraction(gateways * found.free.fill, found.free.seconds) if found.free else 0
        assert Fraction(MICROSECONDS, found.interval) + free <= rate
        admitted, left, _ = alone(None, 0, found)
        assert (admitted, left.remaining) == (True, found.burst - 1)


def test_a_limit_too_small_to_divide_is_asked_about_each_time() -> None:
    assert share(limit("1/m", 3), 1).free is None
    assert share(limit("20/s"), 2).free == Bucket(2, 2, 1)
    assert share(limit("1/m", 100), 2).free == Bucket(12, 1, 480)


@given(LIMITS, st.integers(1, 20))
def test_of_several_limits_nothing_is_dealt_out(one: Limit, gateways: int) -> None:
    """What a gateway let through by itself would be counted for one and not for the other."""
    other = limit("7/m", by="subject")
    assert shares([one], gateways) == (share(one, gateways),)
    assert shares([one, other], gateways) == (whole(one), whole(other))
    assert whole(one).burst == one.bucket


TWO = [limit("20/m", by="client"), limit("100/h", 10, by="subject")]


def test_every_policy_is_told_with_its_quota_and_the_time_that_fills_it() -> None:
    assert fields.policy(TWO) == '"client/m";q=20;w=60, "subject/h";q=10;w=360'
    assert fields.policy([limit("3/s", 10)]) == '"address/s";q=10;w=4'


def test_an_answer_tells_what_is_left_of_each_and_the_longest_wait() -> None:
    question = asking.read(headers(*TWO, subject="a", client="app"))
    said = Verdict(False, (Left(3, 51, 0), Left(0, 360, 36)))
    assert asking.answer(question, said) == {
        asking.TOLD: '"client/m";r=3;t=51, "subject/h";r=0;t=360',
        "Retry-After": "36",
    }
    assert "Retry-After" not in asking.answer(question, Verdict(True, said.left))


def headers(
    *limits: Limit, subject: str = "-", address: str = "10.0.0.1", client: str = "-"
) -> dict[str, str]:
    return {
        asking.ROUTE: "content GET /v1/courses",
        asking.RULE: asking.rule(limits, 1),
        asking.SUBJECT: subject,
        asking.CLIENT: client,
        asking.ADDRESS: address,
    }


def key(by: LimitBy, **who: str) -> str:
    """Of the bucket of one caller, without the limit's name."""
    (bucket,) = asking.read(headers(limit("20/s", by=by.value), **who)).buckets
    return bucket.key


def test_t11_callers_are_told_apart_by_what_the_route_says_and_addresses_by_subscriber() -> None:
    one, other = "2001:db8:1:2::1", "2001:db8:1:2:ffff::9"
    assert key(LimitBy.ADDRESS, address=one) == key(LimitBy.ADDRESS, address=other)
    assert key(LimitBy.ADDRESS, address=one) != key(LimitBy.ADDRESS, address="2001:db8:1:3::1")
    assert key(LimitBy.ADDRESS, address="::ffff:10.0.0.1") == key(LimitBy.ADDRESS)
    assert key(LimitBy.SUBJECT, subject="a") != key(LimitBy.SUBJECT, subject="b")
    assert key(LimitBy.SUBJECT, subject="a", address=one) == key(LimitBy.SUBJECT, subject="a")
    assert key(LimitBy.CLIENT, client="web", subject="a") == key(LimitBy.CLIENT, client="web", subject="b")
    for by in (LimitBy.SUBJECT, LimitBy.CLIENT):
        assert key(by, address=one) == key(by, address=other), "whoever shows no token is counted by address"
        assert key(by) != key(by, address="10.0.0.2")
    assert key(LimitBy.SUBJECT, subject="address 10.0.0.1") != key(LimitBy.SUBJECT)


def test_limits_of_one_route_have_buckets_of_their_own_for_the_same_caller() -> None:
    three = [limit("20/s"), limit("100/m"), limit("100/m", by="client")]
    question = asking.read(headers(*three))
    assert question.names == ("address/s", "address/m", "client/m")
    assert len({bucket.key for bucket in question.buckets}) == 3
    assert [bucket.share.burst for bucket in question.buckets] == [20, 100, 100]


def test_a_key_shows_neither_subject_nor_address() -> None:
    assert "learner" not in key(LimitBy.SUBJECT, subject="learner")
    assert "10.0.0.1" not in key(LimitBy.ADDRESS)


@pytest.mark.parametrize(
    "change",
    [
        {asking.RULE: "address/s:2"},
        {asking.RULE: "cookie/s:1:2"},
        {asking.RULE: ""},
        {asking.ADDRESS: "nowhere"},
    ],
)
def test_what_is_no_question_of_ours_is_said_to_be_none(change: dict[str, str]) -> None:
    with pytest.raises(asking.Unreadable):
        asking.read(headers(limit("20/s")) | change)
