"""What a client meets at the edge, with a real Envoy in front of a real service."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.tests.rig import Rig, Upstream, bearer, claimed, eventually, running, service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    upstream = await Upstream.start()
    content = service(
        "content",
        claimed("/v1/courses", methods=["GET"], auth="optional"),
        claimed("/v1/courses", methods=["POST"], auth="user", scopes=["content:write"]),
        claimed("/v1/courses/featured", match="exact", priority="bulk"),
        claimed("/v1/limited", limits=[{"rate": "1/m", "burst": 3, "by": "address"}]),
        claimed("/v1/mine", auth="user", limits=[{"rate": "1/m", "burst": 2, "by": "subject"}]),
        claimed("/v1/either", auth="optional", limits=[{"rate": "1/m", "burst": 2, "by": "subject"}]),
        claimed("/v1/live", timeout="0s"),
        claimed("/v1/short", timeout="300ms"),
        claimed("/v1/users", auth="user"),
    )
    web = service("web", claimed("/", methods=["GET", "POST"]))
    gone = service("gone", claimed("/v1/gone"))
    endpoint = (Endpoint("127.0.0.1", upstream.port),)
    snapshot = Snapshot((content, gone, web), {"content": endpoint, "web": endpoint})
    async with running(snapshot, error_pages={404: "<h1>100% lost</h1>"}) as made:
        yield made
    await upstream.stop()


def headers_seen(body: bytes | str) -> dict[str, str]:
    seen: dict[str, str] = dict(json.loads(body)["headers"])
    return seen


def assert_problem(headers: Any, body: bytes, status: int) -> dict[str, Any]:
    assert headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status
    assert problem["type"].startswith("urn:suuupra:problem:")
    assert problem["errors"][0]["fix"]
    return problem


async def test_anonymous_is_refused_with_a_challenge(rig: Rig) -> None:
    answer = await rig.http.get("/v1/users")
    problem = assert_problem(answer.headers, answer.content, 401)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_valid_token_passes_and_its_claims_go_along(rig: Rig) -> None:
    answer = await rig.http.get("/v1/users", headers=bearer(rig.issuer.token()))
    seen = headers_seen(answer.content)
    assert answer.status_code == 200
    assert seen["x-jwt-payload"]
    assert seen["authorization"].startswith("Bearer ")


async def test_a_missing_scope_is_403_and_names_the_scope(rig: Rig) -> None:
    answer = await rig.http.post("/v1/courses", headers=bearer(rig.issuer.token()))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="content:write"'
    assert_problem(answer.headers, answer.content, 403)


async def test_a_scope_among_others_is_enough(rig: Rig) -> None:
    token = rig.issuer.token(scope="content:read content:write platform:read")
    assert (await rig.http.post("/v1/courses", headers=bearer(token))).status_code == 200


async def test_a_longer_scope_is_not_the_scope(rig: Rig) -> None:
    token = rig.issuer.token(scope="content:writers xcontent:write")
    assert (await rig.http.post("/v1/courses", headers=bearer(token))).status_code == 403


async def test_optional_takes_nobody_and_somebody_but_no_bad_token(rig: Rig) -> None:
    assert (await rig.http.get("/v1/courses")).status_code == 200
    assert (await rig.http.get("/v1/courses", headers=bearer(rig.issuer.token()))).status_code == 200
    assert (await rig.http.get("/v1/courses", headers=bearer(rig.issuer.token(exp=1)))).status_code == 401


async def test_another_method_is_405_with_the_methods_of_all_routes_there(rig: Rig) -> None:
    answer = await rig.http.delete("/v1/courses/1")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert_problem(answer.headers, answer.content, 405)


async def test_head_comes_with_get(rig: Rig) -> None:
    assert (await rig.http.head("/v1/courses")).status_code == 200


async def test_the_longest_prefix_wins_and_exact_is_exact(rig: Rig) -> None:
    featured = await rig.http.delete("/v1/courses/featured")
    below = await rig.http.delete("/v1/courses/featured/today")
    assert featured.status_code == 200
    assert headers_seen(featured.content)["x-suuupra-priority"] == "bulk"
    assert below.status_code == 405


async def test_a_prefix_ends_at_a_slash(rig: Rig) -> None:
    answer = await rig.http.get("/v1/coursesX")
    assert headers_seen(answer.content)["x-suuupra-priority"] == "normal"
    assert (await rig.http.put("/v1/coursesX")).headers["allow"] == "GET, HEAD, POST"  # web's, not content's


@pytest.mark.parametrize(
    "target",
    [
        "/internal",
        "/internal/v1/visitors",
        "/INTERNAL/v1",
        "//internal/v1",
        "/x/../internal/v1",
        "/%69nternal/v1",
        "/x/%2e%2e/internal/v1",
    ],
)
async def test_internal_paths_never_leave_the_edge(rig: Rig, target: str) -> None:
    status, headers, body = await rig.raw(target)
    assert status in {400, 404}
    assert_problem(headers, body, status)


@pytest.mark.parametrize("target", ["/v1%2fusers", "/v1%5cusers", "/x/..%2fv1/users", "/v1/%2F/users"])
async def test_escaped_slashes_are_refused(rig: Rig, target: str) -> None:
    status, headers, body = await rig.raw(target)
    assert status == 400
    assert_problem(headers, body, 400)


@pytest.mark.parametrize(
    "target", ["//v1//users", "/v1/./users", "/v1/x/../users", "/v1/%2e/users", "/x/%2e%2e/v1/users"]
)
async def test_every_spelling_of_a_path_meets_the_same_rule(rig: Rig, target: str) -> None:
    status, _, _ = await rig.raw(target)
    assert status == 401


async def test_headers_of_the_platform_cannot_be_brought_along(rig: Rig) -> None:
    forged = {
        "x-jwt-payload": "e30",
        "X-Suuupra-Priority": "critical",
        "x-suuupra-visitor": "someone",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "for=10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-original-path": "/admin",
    }
    seen = headers_seen((await rig.http.get("/v1/courses", headers=forged)).content)
    assert seen["x-forwarded-for"] != "10.0.0.1"  # for a loopback caller Envoy writes an address of the host
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-suuupra-priority"] == "normal"
    gone = {
        "x-jwt-payload",
        "x-suuupra-visitor",
        "x-forwarded-host",
        "forwarded",
        "x-real-ip",
        "x-envoy-original-path",
    }
    assert gone.isdisjoint(seen)


async def test_a_service_sees_the_host_that_the_browser_named_with_its_port(rig: Rig) -> None:
    """Pages compare it with Origin, which has the port: a form from a phone at http://192.168.0.2:8080 is ours."""
    seen = headers_seen((await rig.http.get("/v1/courses", headers={"Host": "192.168.0.2:8080"})).content)
    assert seen["host"] == "192.168.0.2:8080"


async def test_request_id_is_ours_and_trace_context_continues(rig: Rig) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = {"x-request-id": "forged", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = await rig.http.get("/v1/courses", headers=sent)
    seen = headers_seen(answer.content)
    assert seen["x-request-id"] == answer.headers["x-request-id"] != "forged"
    assert seen["traceparent"].split("-")[1] == trace
    assert len(headers_seen((await rig.http.get("/v1/courses")).content)["traceparent"]) == 55


async def test_limit_by_address_cannot_be_dodged(rig: Rig) -> None:
    spellings = ["/v1/limited", "//v1/limited", "/v1/x/%2e%2e/limited", "/v1/limited/", "/v1/limited?x=1"]
    forged = [f"X-Forwarded-For: 10.0.0.{number}" for number in range(5)]
    statuses = [(await rig.raw(target, header))[0] for target, header in zip(spellings, forged, strict=True)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_429_tells_when_to_come_back(rig: Rig) -> None:
    answers = [
        await rig.http.get("/v1/mine", headers=bearer(rig.issuer.token(sub="greedy"))) for _ in range(3)
    ]
    last = answers[-1]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"subject/m";q=2;w=120'}
    assert answers[0].headers["ratelimit"].startswith('"subject/m";r=1;t=')
    assert int(last.headers["retry-after"]) > 0
    assert last.headers["ratelimit"].startswith('"subject/m";r=0;t=')
    assert_problem(last.headers, last.content, 429)


async def test_an_answer_that_was_not_counted_tells_the_policy_and_nothing_of_what_is_left(rig: Rig) -> None:
    refused = await rig.http.get("/v1/mine")
    free = await rig.http.get("/v1/courses")
    assert (refused.status_code, refused.headers["ratelimit-policy"]) == (401, '"subject/m";q=2;w=120')
    for answer in (refused, free):
        assert "ratelimit" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    assert "ratelimit-policy" not in free.headers


async def test_limit_by_subject_counts_each_subject(rig: Rig) -> None:
    for subject in ("one", "two", "three"):
        answer = await rig.http.get("/v1/mine", headers=bearer(rig.issuer.token(sub=subject)))
        assert answer.status_code == 200


async def test_without_a_token_the_address_is_counted_instead(rig: Rig) -> None:
    token = bearer(rig.issuer.token(sub="visitor"))
    known = [(await rig.http.get("/v1/either", headers=token)).status_code for _ in range(3)]
    unknown = [(await rig.http.get("/v1/either")).status_code for _ in range(3)]
    basic = await rig.http.get("/v1/either", headers={"Authorization": "Basic eDp5"})
    assert known == unknown == [200, 200, 429]
    assert basic.status_code == 429


async def test_a_parallel_burst_admits_no_more_than_the_bucket(rig: Rig) -> None:
    token = bearer(rig.issuer.token(sub="burst"))
    answers = await asyncio.gather(*(rig.http.get("/v1/mine", headers=token) for _ in range(60)))
    assert sum(answer.status_code == 200 for answer in answers) == 2


@pytest.mark.parametrize("size", [100_000, 100_001])
async def test_the_body_has_a_limit(rig: Rig, size: int) -> None:
    answer = await rig.http.post("/", content=b"x" * size)
    assert answer.status_code == (200 if size <= 100_000 else 413)


async def test_413_without_a_length_is_a_problem_too(rig: Rig) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 1000

    answer = await rig.http.post("/v1/live", content=endless())
    assert answer.status_code == 413
    assert_problem(answer.headers, answer.content, 413)


async def test_large_headers_are_431(rig: Rig) -> None:
    status, headers, body = await rig.raw("/v1/courses", f"X-Large: {'x' * 40_000}")
    assert status == 431
    assert_problem(headers, body, 431)


async def test_header_names_with_underscores_are_refused(rig: Rig) -> None:
    status, _, _ = await rig.raw("/v1/courses", "x_suuupra_role: operator")
    assert status == 400


async def test_unknown_paths_are_404_for_programs_and_a_page_for_people(rig: Rig) -> None:
    api = await rig.http.get("/internal/x")
    browser = await rig.http.get("/internal/x", headers={"Accept": "text/html,*/*;q=0.8"})
    assert_problem(api.headers, api.content, 404)
    assert browser.text == "<h1>100% lost</h1>"
    assert browser.headers["content-type"].startswith("text/html")


async def test_no_ready_endpoint_is_503_and_says_when_to_retry(rig: Rig) -> None:
    answer = await rig.http.get("/v1/gone")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert_problem(answer.headers, answer.content, 503)


async def test_a_late_answer_is_504_after_the_routes_time(rig: Rig) -> None:
    answer = await rig.http.get("/v1/short/slow")
    assert answer.status_code == 504
    assert_problem(answer.headers, answer.content, 504)


async def test_a_services_own_error_passes_unchanged(rig: Rig) -> None:
    answer = await rig.http.post("/v1/live/status-503")
    assert answer.status_code == 503
    assert answer.json() == {"from": "the service itself"}


async def test_text_is_compressed_and_its_etag_weakened(rig: Rig) -> None:
    for encoding in ("gzip", "br"):
        headers = {"Accept-Encoding": encoding}
        async with rig.http.stream("GET", "/v1/courses/large", headers=headers) as answer:
            size = sum([len(chunk) async for chunk in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == encoding
        assert answer.headers["etag"] == 'W/"7"'
        assert size < 2000


async def test_server_sent_events_flow_as_they_come(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    arrived: list[float] = []
    headers = {"Accept-Encoding": "gzip, br"}
    async with rig.http.stream("GET", "/v1/live/stream", headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line:
                arrived.append(loop.time())
    assert len(arrived) == 3
    assert arrived[-1] - arrived[0] > 0.5


async def test_websockets_pass(rig: Rig) -> None:
    async with (
        TestServer(echoing_websocket()) as server,
        aiohttp.ClientSession() as session,
    ):
        rig.source.set_service(service("classes", claimed("/v1/classes", timeout="0s")))
        rig.source.set_endpoints("classes", server.port or 0)
        await rig.live()
        async with session.ws_connect(f"{rig.url}/v1/classes/socket") as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "echo hello"


def echoing_websocket() -> web.Application:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    app = web.Application()
    app.router.add_get("/v1/classes/socket", echo)
    return app


async def test_answers_tell_nothing_of_the_software_behind(rig: Rig) -> None:
    answer = await rig.http.get("/v1/courses")
    assert "server" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


@pytest.mark.integration  # needs a client of another make: curl
async def test_http2_is_spoken(rig: Rig) -> None:
    command = (
        "curl",
        "--silent",
        "--http2-prior-knowledge",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_version} %{http_code}",
    )
    process = await asyncio.create_subprocess_exec(
        *command, f"{rig.url}/v1/courses", stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert told == b"2 200"


async def test_metrics_tell_rate_errors_and_duration_of_each_route(rig: Rig) -> None:
    await rig.http.get("/v1/users")
    await rig.http.request("PROPFIND", "/v1/users")
    route = 'route="content ANY /v1/users"'
    wanted = (
        f'suuupra_gateway_answers_total{{{route},method="GET",status="401"}}',
        f'suuupra_http_request_duration_seconds_bucket{{{route},method="GET",status="4xx",le="0.25"}}',
        f'suuupra_http_request_duration_seconds_sum{{{route},method="GET",status="4xx"}}',
        f'suuupra_http_request_duration_seconds_count{{{route},method="PROPFIND",status="4xx"}}',
    )

    async def told() -> bool:
        text = (await rig.gateway.exposition()).decode()
        return all(line in text for line in wanted)

    await eventually(told)  # Envoy gathers its histograms every five seconds
