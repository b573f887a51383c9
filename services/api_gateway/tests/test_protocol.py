"""HTTP as its standards say it, on a real Envoy: what can be read in two ways goes no further than the edge."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.tests.rig import Rig, Upstream, claimed, running, service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    upstream = await Upstream.start()
    content = service("content", claimed("/v1/courses", auth="none"), claimed("/v1/users", auth="user"))
    async with running(Snapshot((content,), {"content": (Endpoint("127.0.0.1", upstream.port),)})) as made:
        yield made
    await upstream.stop()


def fault(headers: Any, body: bytes, status: int) -> dict[str, str]:
    """What the problem says is wrong."""
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status
    (error,) = problem["errors"]
    return dict(error)


async def test_two_hosts_are_one_too_many(rig: Rig) -> None:
    status, headers, body = await rig.raw("/v1/courses", "Host: evil.example")
    assert status == 400
    assert "one Host header" in fault(headers, body, 400)["fix"]


async def test_an_old_version_of_http_is_told_which_to_use(rig: Rig) -> None:
    status, headers, body = await rig.raw("/v1/courses", version="HTTP/1.0")
    assert status == 426
    assert fault(headers, body, 426)["field"] == "version"


@pytest.mark.parametrize("coding", ["xchunked", "gzip, chunked", "identity"])
async def test_a_transfer_coding_that_is_not_known_is_named(rig: Rig, coding: str) -> None:
    status, headers, body = await rig.raw("/v1/courses", f"Transfer-Encoding: {coding}", method="POST")
    assert status == 501
    assert fault(headers, body, 501)["field"] == "header.Transfer-Encoding"


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Content-Length: 3", "Content-Length: 4"),
        ("Content-Length: -3",),
        ("Transfer-Encoding : chunked",),
        ("X-Nothing: a\0b",),
    ],
)
async def test_a_body_whose_end_can_be_read_in_two_ways_never_reaches_a_service(
    rig: Rig, framing: tuple[str, ...]
) -> None:
    status, headers, body = await rig.raw("/v1/courses", *framing, method="POST")
    assert status == 400
    assert fault(headers, body, 400)["field"] == "request"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_schemes_name_has_no_case(rig: Rig, scheme: str) -> None:
    token = {"Authorization": f"{scheme} {rig.issuer.token()}"}
    assert (await rig.http.get("/v1/users", headers=token)).status_code == 200
    assert (await rig.http.get("/v1/users", headers={"Authorization": f"{scheme} x"})).status_code == 401


async def test_a_part_is_sent_as_it_is(rig: Rig) -> None:
    answer = await rig.http.get("/v1/courses/part", headers={"Accept-Encoding": "gzip, br"})
    assert answer.status_code == 206
    assert "content-encoding" not in answer.headers
