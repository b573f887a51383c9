"""Limits that gateways keep together: two real Envoys, one count, and no way around it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.store import SECONDS, Counters, CountersAway
from services.api_gateway.tests.pairs import (
    HEADROOM,
    PATIENCE,
    MemoryBuckets,
    Pair,
    a_bucket,
    admitted,
    gateway,
    given_up,
    let_through_unasked,
)
from services.api_gateway.tests.rig import Issuer, Upstream, claimed, eventually, running, service
from suuupra.testing.valkey import ValkeyServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 40
STANDSTILL = 3 * SECONDS
"""Longer than Valkey may take."""


def routes_of(upstream: Upstream) -> Snapshot:
    by = {"rate": "1/h", "burst": LIMIT}
    content = service(
        "content",
        claimed("/v1/mine", auth="user", limits=[by | {"by": "subject"}]),
        claimed("/v1/apps", auth="user", limits=[by | {"by": "client"}]),
        claimed("/v1/open", limits=[by | {"by": "address"}]),
        claimed("/v1/few", limits=[{"rate": "1/h", "burst": 3, "by": "address"}]),
        claimed("/v1/free"),
    )
    pods = (Endpoint("127.0.0.1", upstream.port),)
    both = (Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000))
    return Snapshot((content,), {"content": pods, "api-gateway": both})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    buckets, folder = MemoryBuckets(), tmp_path_factory.mktemp("limits")
    snapshot, issuer = routes_of(upstream), Issuer.new()
    async with (
        gateway(snapshot, buckets, folder, trusted_hops=1, issuer=issuer) as one,
        gateway(snapshot, buckets, folder, trusted_hops=1, issuer=issuer) as other,
    ):
        yield Pair((one, other), buckets)


@pytest.fixture(autouse=True)
def afresh(pair: Pair) -> None:
    pair.buckets.away = False


async def test_t11_two_hundred_in_parallel_over_two_gateways_are_admitted_up_to_the_limit(pair: Pair) -> None:
    headers = pair.bearer(sub="greedy")
    found = admitted(await pair.ask("/v1/mine", 200, **headers))
    assert await given_up(*pair.rigs) == 0, "a question had no answer: this was no common limit"
    assert LIMIT * 0.95 <= found <= LIMIT * HEADROOM


async def test_t11_a_client_has_one_bucket_for_all_its_users(pair: Pair) -> None:
    statuses = []
    for user in range(10):
        statuses += await pair.ask("/v1/apps", 10, **pair.bearer(sub=f"user-{user}", client_id="app"))
    assert admitted(statuses) <= LIMIT * HEADROOM
    other = pair.bearer(sub="user-1", client_id="another")
    assert (await pair.ask("/v1/apps", 1, **other)) == [200]


async def test_t11_no_spelling_of_the_path_and_no_forged_hop_has_a_bucket_of_its_own(pair: Pair) -> None:
    spellings = [
        "/v1/open",
        "//v1/open",
        "/v1/x/../open",
        "/v1/%6fpen",
        "/v1/x/%2e%2e/open",
        "/v1/open?x=1",
        "/v1/open/y",
    ]
    statuses = []
    for number in range(140):
        spelling = spellings[number % len(spellings)]
        # The hop in front adds the true address last; what a client wrote before it counts for nothing.
        forged = f"X-Forwarded-For: 10.{number}.0.1, 203.0.113.7"
        statuses.append((await pair.rigs[number % 2].raw(spelling, forged))[0])
    assert admitted(statuses) <= LIMIT * HEADROOM
    assert (await pair.rigs[0].raw("/V1/OPEN", "X-Forwarded-For: 203.0.113.7"))[0] == 404, "no such route"


async def test_t11_a_subscriber_s_ipv6_addresses_share_one_bucket(pair: Pair) -> None:
    statuses = []
    for number in range(100):
        hop = f"X-Forwarded-For: 2001:db8:7:8:{number:x}::{number:x}"
        statuses.append((await pair.rigs[number % 2].raw("/v1/open", hop))[0])
    assert admitted(statuses) <= LIMIT * HEADROOM
    assert (await pair.rigs[0].raw("/v1/open", "X-Forwarded-For: 2001:db8:7:9::1"))[0] == 200


async def test_a_client_cannot_bring_the_header_that_asks(pair: Pair) -> None:
    """Whoever is far from a limit is let through by the gateway's part of it, whatever he writes."""
    before, token = pair.buckets.asked, pair.bearer(sub="forger")["Authorization"]
    status, headers, _ = await pair.rigs[0].raw("/v1/mine", f"Authorization: {token}", "X-Suuupra-Ask: 1")
    assert (status, pair.buckets.asked) == (200, before)
    assert headers["ratelimit"].startswith(f'"subject/h";r={LIMIT - 1};')


async def test_whoever_is_far_from_a_limit_is_not_asked_about(pair: Pair) -> None:
    before = pair.buckets.asked
    statuses = await pair.ask("/v1/mine", 4, **pair.bearer(sub="modest"))
    assert (statuses, pair.buckets.asked) == ([200] * 4, before)


async def test_a_small_limit_is_exact_over_two_gateways(pair: Pair) -> None:
    statuses = await pair.ask("/v1/few", 20, X_Forwarded_For="203.0.113.9")
    assert admitted(statuses) == 3


async def test_what_was_counted_together_is_told_in_ratelimit_headers(pair: Pair) -> None:
    hop = {"X-Forwarded-For": "203.0.113.10"}
    answers = [await pair.rigs[n % 2].http.get("/v1/few", headers=hop) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    told = [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers]
    assert told == [f'"address/h";r={left}' for left in (2, 1, 0, 0)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"address/h";q=3;w=10800'}
    assert int(answers[-1].headers["retry-after"]) > 3000
    assert answers[-1].json()["type"] == "urn:suuupra:problem:too-many-requests"
    assert not [name for name in answers[0].headers if name.startswith("x-suuupra-limit")]


async def test_what_a_service_says_of_limits_is_not_told_as_the_gateways(pair: Pair) -> None:
    counted = await pair.rigs[0].http.get("/v1/mine/forging", headers=pair.bearer(sub="behind-a-forger"))
    free = await pair.rigs[0].http.get("/v1/free/forging")
    assert (counted.status_code, free.status_code) == (200, 200)
    assert counted.headers["ratelimit-policy"] == f'"subject/h";q={LIMIT};w={LIMIT * 3600}'
    assert counted.headers["ratelimit"].startswith(f'"subject/h";r={LIMIT - 1};t=')
    assert not [name for name in free.headers if "ratelimit" in name]
    for answer in (counted, free):
        assert not [name for name in answer.headers if name.startswith(("x-ratelimit", "x-suuupra-limit"))]


async def test_the_service_behind_does_not_see_what_was_asked(pair: Pair) -> None:
    answer = await pair.rigs[0].http.get("/v1/few", headers={"X-Forwarded-For": "203.0.113.11"})
    names = {name for name, _ in answer.json()["headers"]}
    ours = ("x-suuupra-ask", "x-limit-", "x-suuupra-limit", "x-envoy-auth")
    assert not [name for name in names if name.startswith(ours)]


async def test_without_valkey_each_gateway_keeps_the_limit_by_itself(pair: Pair) -> None:
    pair.buckets.away = True
    statuses = await pair.ask("/v1/mine", 200, **pair.bearer(sub="during-an-outage"))
    assert LIMIT * 0.95 <= admitted(statuses) <= 2 * LIMIT * HEADROOM


async def test_a_gateway_whose_limits_do_not_answer_serves_on(upstream: Upstream, tmp_path: Path) -> None:
    """The process that answers hangs, or is not there."""
    async with running(routes_of(upstream), limits_socket=tmp_path / "nobody.sock") as rig:
        assert (await rig.http.get("/v1/few")).status_code == 200
        assert await given_up(rig) == 1


@pytest.mark.integration
async def test_t11_valkey_counts_as_the_algorithm_says(valkey: ValkeyServer) -> None:
    counters, bucket = Counters(valkey.url), a_bucket()
    try:
        said = [await counters.take([bucket]) for _ in range(7)]
        assert [one.admitted for one in said] == [True] * 5 + [False] * 2
        assert [one.left[0].remaining for one in said] == [4, 3, 2, 1, 0, 0, 0]
        assert 55 <= said[-1].wait <= 60
        assert 0 < await counters._client.pttl(bucket.key) <= 300_000
    finally:
        await counters.close()


@pytest.mark.integration
async def test_t11_two_hundred_in_parallel_over_two_gateways_and_one_valkey(
    valkey: ValkeyServer, upstream: Upstream, tmp_path: Path
) -> None:
    snapshot = routes_of(upstream)
    one, other = (Counters(valkey.url, seconds=PATIENCE) for _ in range(2))
    unanswered = let_through_unasked()
    async with (
        gateway(snapshot, one, tmp_path, trusted_hops=1) as first,
        gateway(snapshot, other, tmp_path, trusted_hops=1) as second,
    ):
        hop = {"X-Forwarded-For": f"203.0.113.{uuid4().int % 250}"}
        asked = [(first, second)[n % 2].http.get("/v1/open", headers=hop) for n in range(200)]
        statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert await given_up(first, second) == 0, "a question had no answer: this was no common limit"
    assert let_through_unasked() == unanswered, "Valkey did not answer: this was no common limit"
    assert LIMIT * 0.9 <= admitted(statuses) <= LIMIT * HEADROOM


@pytest.mark.integration
async def test_t11_a_gateway_that_stood_still_for_a_moment_does_not_take_valkey_for_away(
    valkey: ValkeyServer,
) -> None:
    """A starved process finds the answer and the end of its patience at once; letting everybody through is wrong."""
    counters, bucket = Counters(valkey.url), a_bucket()
    try:
        assert (await counters.take([bucket])).left[0].remaining == 4
        valkey.container.pause()
        try:
            question = asyncio.create_task(counters.take([bucket]))
            await asyncio.wait((question,), timeout=SECONDS / 4)
            assert not question.done()
        finally:
            valkey.container.resume()
        time.sleep(STANDSTILL)  # noqa: ASYNC251  the whole process stands still: that is what is tried
        assert (await question).left[0].remaining == 3
    finally:
        await counters.close()


@pytest.mark.integration
async def test_valkey_that_was_restarted_or_is_away_is_met_again(valkey: ValkeyServer) -> None:
    counters = Counters(valkey.url)
    try:
        assert (await counters.take([a_bucket()])).admitted
        await counters._client.script_flush()
        assert (await counters.take([a_bucket()])).admitted
        valkey.container.pause()
        try:
            with pytest.raises(CountersAway):
                await counters.take([a_bucket()])
        finally:
            valkey.container.resume()

        async def back() -> bool:
            with contextlib.suppress(CountersAway):
                return (await counters.take([a_bucket()])).admitted
            return False

        await eventually(back)
    finally:
        await counters.close()
