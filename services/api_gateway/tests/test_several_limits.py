"""Routes with several limits at once: all must allow, a refused request takes from none, and every policy is told."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.api_gateway.domain.gcra import MICROSECONDS
from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.store import Counters
from services.api_gateway.tests.pairs import (
    PATIENCE,
    MemoryBuckets,
    Pair,
    a_bucket,
    admitted,
    gateway,
    given_up,
    let_through_unasked,
)
from services.api_gateway.tests.rig import Issuer, Upstream, bearer, claimed, running, service
from suuupra.testing.valkey import ValkeyServer
from suuupra.tokens import MAX_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST = len("Bearer ") + MAX_BYTES
BOTH = '"subject/h";q=3;w=5400, "client/h";q=10;w=36000'
"""The policy of /v1/both."""
FORGED = [
    ("X-Suuupra-Ask: 0",),
    ("X-Suuupra-Ask: 1", "X-Suuupra-Limits: 9"),
    ("X-Envoy-Auth-Failure-Mode-Allowed: true",),
]
"""What the gateway says to itself. Of each, three requests use a subject's limit up."""


def routes_of(upstream: Upstream) -> Snapshot:
    subject, client = (
        {"rate": "2/h", "burst": 3, "by": "subject"},
        {"rate": "1/h", "burst": 10, "by": "client"},
    )
    often, seldom = {"rate": "1/m", "burst": 9, "by": "client"}, {"rate": "1/h", "burst": 4, "by": "client"}
    content = service(
        "content",
        claimed("/v1/both", auth="user", limits=[subject, client]),
        claimed("/v1/either", auth="optional", limits=[seldom, often]),
        claimed("/v1/scoped", auth="user", scopes=["content:write"], limits=[subject, client]),
        claimed("/v1/scoped-once", auth="user", scopes=["content:write"], limits=[client]),
    )
    pods = (Endpoint("127.0.0.1", upstream.port),)
    both = (Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000))
    return Snapshot((content,), {"content": pods, "api-gateway": both})


@contextlib.asynccontextmanager
async def two(upstream: Upstream, folder: Path, buckets: MemoryBuckets) -> AsyncIterator[Pair]:
    snapshot, issuer = routes_of(upstream), Issuer.new()
    async with (
        gateway(snapshot, buckets, folder, trusted_hops=1, issuer=issuer) as one,
        gateway(snapshot, buckets, folder, trusted_hops=1, issuer=issuer) as other,
    ):
        yield Pair((one, other), buckets)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with two(upstream, tmp_path_factory.mktemp("limits"), MemoryBuckets()) as made:
        yield made


def left_in(ratelimit: str) -> dict[str, int]:
    """Limit → requests that may follow."""
    return {name: int(left) for name, left in re.findall(r'"(\S+)";r=(\d+);t=\d+', ratelimit)}


async def test_t11_several_limits_hold_at_once_and_a_refused_request_takes_from_none(pair: Pair) -> None:
    """A user who hammers ends at the subject's three; seven of the client's ten are left to the others."""
    app = f"app-{uuid4().hex[:6]}"
    greedy = pair.bearer(sub=f"greedy-{app}", client_id=app)
    assert admitted(await pair.ask("/v1/both", 60, **greedy)) == 3
    found = 0
    for number in range(5):
        other = pair.bearer(sub=f"{number}-{app}", client_id=app)
        found += admitted(await pair.ask("/v1/both", 4, **other))
    assert found == 7
    first = pair.bearer(sub=f"greedy-{app}", client_id=f"another-{app}")
    assert admitted(await pair.ask("/v1/both", 4, **first)) == 0, (
        "the subject's limit is its own with any client"
    )


async def test_every_policy_is_told_and_the_longest_wait(pair: Pair) -> None:
    headers = pair.bearer(sub="told", client_id="told")
    answers = [await pair.rigs[n % 2].http.get("/v1/both", headers=headers) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {BOTH}
    left = [re.findall(r'"(\S+)";r=(\d+);t=\d+', answer.headers["ratelimit"]) for answer in answers]
    assert left[0] == [("subject/h", "2"), ("client/h", "9")]
    assert left[2] == left[3] == [("subject/h", "0"), ("client/h", "7")]
    assert 1700 < int(answers[-1].headers["retry-after"]) <= 1800
    assert answers[-1].json()["type"] == "urn:suuupra:problem:too-many-requests"
    assert "x-suuupra-limits" not in answers[0].headers


async def test_t11_a_client_without_a_token_is_an_address_that_no_header_forges(pair: Pair) -> None:
    """The hop in front writes the address last; with a token it does not count at all."""
    statuses = []
    for number in range(12):
        forged = f"X-Forwarded-For: 10.{number}.0.1, 198.51.100.7"
        statuses.append((await pair.rigs[number % 2].raw("/v1/either", forged))[0])
    assert admitted(statuses) == 4
    token = pair.bearer(sub="x", client_id="at-the-same-address")
    assert admitted(await pair.ask("/v1/either", 12, X_Forwarded_For="198.51.100.7", **token)) == 4
    assert admitted(await pair.ask("/v1/either", 1, X_Forwarded_For="198.51.100.8")) == 1


@pytest.mark.integration
async def test_t11_valkey_takes_from_all_buckets_of_a_request_or_from_none(valkey: ValkeyServer) -> None:
    """Two hundred at once, over two connections: only as many as the smaller bucket holds, and the larger gave no more."""
    one, other = (Counters(valkey.url, seconds=PATIENCE) for _ in range(2))
    small, large = a_bucket(5), a_bucket(50, 36 * MICROSECONDS)
    try:
        asked = [(one, other)[n % 2].take([large, small]) for n in range(200)]
        assert sum(said.admitted for said in await asyncio.gather(*asked)) == 5
        refused = await one.take([large, small])
        assert [left.remaining for left in refused.left] == [45, 0]
        assert 55 <= refused.wait <= 60
        assert (await one.take([large])).left[0].remaining == 44
    finally:
        await one.close()
        await other.close()


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged[0])
async def test_t11_a_client_cannot_bring_what_the_gateway_says_to_itself(
    upstream: Upstream, tmp_path: Path, forged: tuple[str, ...]
) -> None:
    """Each request is asked about and counted in common, none by the gateway alone, and the service sees nothing."""
    async with two(upstream, tmp_path, MemoryBuckets()) as pair:
        rig, token = pair.rigs[0], pair.bearer(sub="forger", client_id="forger")
        sent = (f"Authorization: {token['Authorization']}", *forged)
        answers = [await rig.raw("/v1/both", *sent) for _ in range(4)]
        assert ([status for status, _, _ in answers], pair.buckets.asked) == ([200, 200, 200, 429], 4)
        assert [left_in(headers["ratelimit"]) for _, headers, _ in answers[:2]] == [
            {"subject/h": 2, "client/h": 9},
            {"subject/h": 1, "client/h": 8},
        ]
        seen = {name for name, _ in json.loads(answers[0][2])["headers"]}
        assert not [
            name for name in seen if name.startswith(("x-suuupra-ask", "x-suuupra-limit", "x-envoy-auth"))
        ]
        pair.buckets.away = True
        assert [(await rig.raw("/v1/both", *sent))[0] for _ in range(4)] == [200, 200, 200, 429], (
            "nothing was taken from what this gateway keeps for when Valkey is away"
        )


@pytest.mark.parametrize("path", ["/v1/scoped", "/v1/scoped-once"])
async def test_t11_whoever_is_refused_for_want_of_a_scope_takes_nothing_from_what_others_share(
    pair: Pair, path: str
) -> None:
    app, before = f"app-{uuid4().hex[:6]}", pair.buckets.asked
    without = pair.bearer(sub=f"without-{app}", client_id=app)
    refused = [await pair.rigs[0].http.get(path, headers=without) for _ in range(15)]
    assert [answer.status_code for answer in refused] == [403] * 15
    assert pair.buckets.asked == before
    for answer in refused:
        assert "ratelimit" not in answer.headers, "it was not counted"
        assert '"client/h";q=10' in answer.headers["ratelimit-policy"]
    allowed = pair.bearer(sub=f"with-{app}", client_id=app, scope="content:write")
    answer = await pair.rigs[0].http.get(path, headers=allowed)
    assert answer.status_code == 200
    assert left_in(answer.headers["ratelimit"])["client/h"] == 9


async def test_a_long_path_and_the_longest_token_are_counted_like_any(pair: Pair) -> None:
    """The question holds both, so whatever reads it must take as much as Envoy does."""
    longest = max(
        (pair.bearer(sub="long", client_id="long", padding="x" * size) for size in range(5800, 6000)),
        key=lambda token: len(token["Authorization"]) if len(token["Authorization"]) <= LONGEST else 0,
    )
    assert len(longest["Authorization"]) > LONGEST - 4
    far = f"/v1/both/{'x' * 20_000}"
    answers = [
        await pair.rigs[0].http.get("/v1/both", headers=longest),
        await pair.rigs[0].http.get(far, headers=pair.bearer(sub="long", client_id="long")),
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [left_in(answer.headers["ratelimit"])["subject/h"] for answer in answers] == [2, 1]


async def test_what_a_service_says_of_limits_is_not_told_as_what_was_counted(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with two(upstream, tmp_path, MemoryBuckets()) as pair:
        token = pair.bearer(sub="behind-a-forger", client_id="behind-a-forger")
        counted = await pair.rigs[0].http.get("/v1/both/forging", headers=token)
        assert counted.headers["ratelimit-policy"] == BOTH
        assert left_in(counted.headers["ratelimit"]) == {"subject/h": 2, "client/h": 9}
        pair.buckets.away = True
        alone = await pair.rigs[0].http.get("/v1/both/forging", headers=token)
        assert (alone.status_code, alone.headers["ratelimit-policy"]) == (200, BOTH)
        assert "ratelimit" not in alone.headers, "nobody knows what is left"


@pytest.mark.integration
async def test_t11_several_limits_over_two_gateways_and_one_valkey_admit_what_all_allow(
    valkey: ValkeyServer, upstream: Upstream, tmp_path: Path
) -> None:
    snapshot, issuer, app = routes_of(upstream), Issuer.new(), f"app-{uuid4()}"
    one, other = (Counters(valkey.url, seconds=PATIENCE) for _ in range(2))
    unanswered = let_through_unasked()
    async with (
        gateway(snapshot, one, tmp_path, issuer=issuer) as first,
        gateway(snapshot, other, tmp_path, issuer=issuer) as second,
    ):
        both = Pair((first, second), MemoryBuckets())
        greedy = bearer(issuer.token(sub=f"greedy-{app}", client_id=app))
        assert admitted(await both.ask("/v1/both", 100, **greedy)) == 3
        tokens = [bearer(issuer.token(sub=f"{number}-{app}", client_id=app)) for number in range(10)]
        asked = [both.ask("/v1/both", 10, **token) for token in tokens]
        found = [admitted(statuses) for statuses in await asyncio.gather(*asked)]
        assert sum(found) == 7, "what was refused to one took nothing from the client's ten"
        assert max(found) <= 3
        assert await given_up(first, second) == 0, "a question had no answer: this was no common limit"
    assert let_through_unasked() == unanswered, "Valkey did not answer: this was no common limit"


async def test_without_valkey_each_gateway_keeps_several_limits_by_itself(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with two(upstream, tmp_path, MemoryBuckets(away=True)) as pair:
        headers = pair.bearer(sub="outage", client_id="outage")
        assert admitted(await pair.ask("/v1/both", 30, **headers)) == 2 * 3
        answer = await pair.rigs[0].http.get("/v1/both", headers=headers)
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["ratelimit-policy"] == BOTH
        assert "ratelimit" not in answer.headers, "nobody knows what is left"


async def test_a_gateway_whose_limits_do_not_answer_keeps_several_by_itself(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with running(routes_of(upstream), limits_socket=tmp_path / "nobody.sock") as rig:
        token = bearer(rig.issuer.token(client_id="app"))
        answers = [await rig.http.get("/v1/both", headers=token) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert await given_up(rig) == 4
        seen = {name for name, _ in answers[0].json()["headers"]}
        assert not [name for name in seen if name.startswith("x-envoy-auth")], "nothing to the service behind"


async def test_several_limits_hold_where_no_valkey_is_set_up(upstream: Upstream) -> None:
    """Each gateway by itself, then: three of one subject, and ten of a client whoever uses it."""
    async with running(routes_of(upstream)) as rig:
        statuses = []
        for subject in range(5):
            token = bearer(rig.issuer.token(sub=f"user-{subject}", client_id="app"))
            answers = [await rig.http.get("/v1/both", headers=token) for _ in range(3)]
            statuses.append([answer.status_code for answer in answers])
            assert {answer.headers["ratelimit-policy"] for answer in answers} == {BOTH}
    assert statuses == [[200] * 3, [200] * 3, [200] * 3, [200, 429, 429], [429] * 3]
