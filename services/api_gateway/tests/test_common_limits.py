"""Limits that gateways keep together: two real Envoys, one count, and no way around it."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from services.api_gateway.domain.gcra import MICROSECONDS, Share, Verdict, decide
from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.store import SECONDS, Counters, CountersAway
from services.api_gateway.tests.rig import (
    Issuer,
    Rig,
    Upstream,
    bearer,
    claimed,
    eventually,
    running,
    service,
)
from services.api_gateway.usecases.limiting import Buckets, Limiter
from suuupra.testing.valkey import ValkeyServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 40
HEADROOM = 1.05
"""What check T11 allows above a limit."""
STANDSTILL = 3 * SECONDS
"""Longer than Valkey may take."""
PATIENCE = 10.0
"""Seconds for a question here: the clients run in the process that answers, so answers come later than elsewhere."""


@dataclass
class MemoryBuckets:
    """Valkey's part, in memory, on a clock that stands still; it can be away."""

    full_at: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

    async def take(self, key: str, share: Share) -> Verdict:
        self.asked += 1
        if self.away:
            raise CountersAway("told to be")
        said, moved = decide(self.full_at.get(key), MICROSECONDS, share)
        if moved is not None:
            self.full_at[key] = moved
        return said

    async def close(self) -> None: ...


@dataclass
class Pair:
    """Two gateways behind one hop, which tells them the client's address."""

    rigs: tuple[Rig, Rig]
    buckets: MemoryBuckets

    async def ask(self, path: str, count: int, **headers: str) -> list[int]:
        """Status of `count` requests in parallel, half over each gateway."""
        asked = [self.rigs[n % 2].http.get(path, headers=_named(headers)) for n in range(count)]
        return [answer.status_code for answer in await asyncio.gather(*asked)]


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def admitted(statuses: list[int]) -> int:
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


@contextlib.asynccontextmanager
async def gateway(snapshot: Snapshot, buckets: Buckets, folder: Path, **options: Any) -> AsyncIterator[Rig]:
    limiter = Limiter(folder / f"{uuid4().hex[:8]}.sock", buckets)
    answering = asyncio.create_task(limiter.run())
    try:
        async with running(
            snapshot, limits_socket=limiter._socket, limits_seconds=2 * PATIENCE, **options
        ) as rig:
            yield rig
    finally:
        await limiter.stop()
        await answering


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    started = await Upstream.start()
    yield started
    await started.stop()


def routes_of(upstream: Upstream) -> Snapshot:
    by = {"rate": "1/h", "burst": LIMIT}
    content = service(
        "content",
        claimed("/v1/mine", auth="user", limit=by | {"by": "subject"}),
        claimed("/v1/apps", auth="user", limit=by | {"by": "client"}),
        claimed("/v1/open", limit=by | {"by": "address"}),
        claimed("/v1/few", limit={"rate": "1/h", "burst": 3, "by": "address"}),
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
    headers = bearer_of(pair, sub="greedy")
    found = admitted(await pair.ask("/v1/mine", 200, **headers))
    assert await given_up(*pair.rigs) == 0, "a question had no answer: this was no common limit"
    assert LIMIT * 0.95 <= found <= LIMIT * HEADROOM


async def test_t11_a_client_has_one_bucket_for_all_its_users(pair: Pair) -> None:
    statuses = []
    for user in range(10):
        statuses += await pair.ask("/v1/apps", 10, **bearer_of(pair, sub=f"user-{user}", client_id="app"))
    assert admitted(statuses) <= LIMIT * HEADROOM
    other = bearer_of(pair, sub="user-1", client_id="another")
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


async def test_a_client_cannot_bring_the_header_that_asks_or_what_is_answered(pair: Pair) -> None:
    before = pair.buckets.asked
    forged = ("X-Suuupra-Ask: 1", "X-Suuupra-Limit-Remaining: 9")
    status, headers, _ = await pair.rigs[0].raw("/v1/free", *forged)
    assert (status, pair.buckets.asked) == (200, before)
    assert "ratelimit-remaining" not in headers


async def test_whoever_is_far_from_a_limit_is_not_asked_about(pair: Pair) -> None:
    before = pair.buckets.asked
    statuses = await pair.ask("/v1/mine", 4, **bearer_of(pair, sub="modest"))
    assert (statuses, pair.buckets.asked) == ([200] * 4, before)


async def test_a_small_limit_is_exact_over_two_gateways(pair: Pair) -> None:
    statuses = await pair.ask("/v1/few", 20, X_Forwarded_For="203.0.113.9")
    assert admitted(statuses) == 3


async def test_what_was_counted_together_is_told_in_ratelimit_headers(pair: Pair) -> None:
    hop = {"X-Forwarded-For": "203.0.113.10"}
    answers = [await pair.rigs[n % 2].http.get("/v1/few", headers=hop) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
    assert int(answers[-1].headers["retry-after"]) > 3000
    assert answers[-1].json()["type"] == "urn:suuupra:problem:too-many-requests"
    assert not [name for name in answers[0].headers if name.startswith("x-suuupra-limit")]


async def test_the_service_behind_does_not_see_what_was_asked(pair: Pair) -> None:
    answer = await pair.rigs[0].http.get("/v1/few", headers={"X-Forwarded-For": "203.0.113.11"})
    names = {name for name, _ in answer.json()["headers"]}
    assert not [name for name in names if name.startswith(("x-suuupra-ask", "x-limit-", "x-suuupra-limit"))]


async def test_without_valkey_each_gateway_keeps_the_limit_by_itself(pair: Pair) -> None:
    pair.buckets.away = True
    statuses = await pair.ask("/v1/mine", 200, **bearer_of(pair, sub="during-an-outage"))
    assert LIMIT * 0.95 <= admitted(statuses) <= 2 * LIMIT * HEADROOM


async def test_a_gateway_whose_limits_do_not_answer_serves_on(upstream: Upstream, tmp_path: Path) -> None:
    """The process that answers hangs, or is not there."""
    async with running(routes_of(upstream), limits_socket=tmp_path / "nobody.sock") as rig:
        assert (await rig.http.get("/v1/few")).status_code == 200
        assert await given_up(rig) == 1


async def given_up(*rigs: Rig) -> float:
    """How many questions Envoy answered by yes itself, because it had no answer in time."""
    text = "".join([(await rig.gateway.exposition()).decode() for rig in rigs])
    return sum(
        float(count)
        for count in re.findall(r"^envoy_http_ext_authz_failure_mode_allowed{\S+ (\S+)", text, re.M)
    )


def let_through_unasked() -> float:
    """How many questions were answered by yes because Valkey was away."""
    return REGISTRY.get_sample_value("suuupra_gateway_limit_answers_total", {"answer": "open"}) or 0.0


def bearer_of(pair: Pair, **claims: Any) -> dict[str, str]:
    """A token that both gateways take."""
    return bearer(pair.rigs[0].issuer.token(**claims))


@pytest.mark.integration
async def test_t11_valkey_counts_as_the_algorithm_says(valkey: ValkeyServer) -> None:
    counters, key = Counters(valkey.url), f"test:{uuid4()}"
    bucket = Share(None, 5, 60 * MICROSECONDS)
    try:
        said = [await counters.take(key, bucket) for _ in range(7)]
        assert [one.admitted for one in said] == [True] * 5 + [False] * 2
        assert [one.remaining for one in said] == [4, 3, 2, 1, 0, 0, 0]
        assert 55 <= said[-1].wait <= 60
        assert 0 < await counters._client.pttl(key) <= 300_000
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
    counters, key = Counters(valkey.url), f"test:{uuid4()}"
    bucket = Share(None, 5, 60 * MICROSECONDS)
    try:
        assert (await counters.take(key, bucket)).remaining == 4
        valkey.container.pause()
        try:
            question = asyncio.create_task(counters.take(key, bucket))
            await asyncio.wait((question,), timeout=SECONDS / 4)
            assert not question.done()
        finally:
            valkey.container.resume()
        time.sleep(STANDSTILL)  # noqa: ASYNC251  the whole process stands still: that is what is tried
        assert (await question).remaining == 3
    finally:
        await counters.close()


@pytest.mark.integration
async def test_valkey_that_was_restarted_or_is_away_is_met_again(valkey: ValkeyServer) -> None:
    counters, bucket = Counters(valkey.url), Share(None, 5, MICROSECONDS)
    try:
        assert (await counters.take(f"test:{uuid4()}", bucket)).admitted
        await counters._client.script_flush()
        assert (await counters.take(f"test:{uuid4()}", bucket)).admitted
        valkey.container.pause()
        try:
            with pytest.raises(CountersAway):
                await counters.take(f"test:{uuid4()}", bucket)
        finally:
            valkey.container.resume()

        async def back() -> bool:
            with contextlib.suppress(CountersAway):
                return (await counters.take(f"test:{uuid4()}", bucket)).admitted
            return False

        await eventually(back)
    finally:
        await counters.close()
