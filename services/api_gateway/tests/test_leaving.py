"""A resource that is being deleted: it serves as long as it has pods, and its routes leave with the last of them."""

import asyncio
from typing import Any

import pytest

from services.api_gateway.domain.resources import snapshot_of
from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.domain.table import decide
from services.api_gateway.tests.rig import Upstream, claimed, running, service

LEAVING = service("content", claimed("/v1/courses"), age_days=3, leaving=True)
POD: dict[str, tuple[Endpoint, ...]] = {"content": (Endpoint("10.0.0.1", 8000),)}


def resource(**metadata: Any) -> dict[str, Any]:
    routes = [{"path": "/v1/courses", "auth": "none", "accepted": True}]
    born = {"name": "content", "creationTimestamp": "2026-11-23T08:00:00Z"}
    return {"metadata": {**born, **metadata}, "status": {"routes": routes}}


@pytest.mark.parametrize(
    ("metadata", "leaving"),
    [({}, False), ({"deletionTimestamp": "2026-11-23T09:00:00Z", "finalizers": ["suuupra.io/x"]}, True)],
)
def test_a_resource_says_that_it_is_being_deleted(metadata: dict[str, Any], *, leaving: bool) -> None:
    (found,) = snapshot_of([resource(**metadata)], []).services
    assert found.leaving is leaving


def test_it_serves_while_it_has_a_pod_that_is_ready() -> None:
    table = decide(Snapshot((LEAVING,), POD))
    assert [item.route.path for item in table.served] == ["/v1/courses"]
    assert table.refused == ()


def test_without_a_pod_its_routes_are_not_served_and_the_page_is_told_why() -> None:
    table = decide(Snapshot((LEAVING,), {"content": ()}))
    assert table.served == ()
    (refused,) = table.refused
    assert (refused.path, refused.reason, refused.by) == ("/v1/courses", "BeingDeleted", "gateway")
    assert "kubectl describe suuupraservice content" in refused.message


def test_a_resource_that_stays_keeps_its_routes_without_a_pod() -> None:
    table = decide(Snapshot((service("content", claimed("/v1/courses")),), {}))
    assert [item.route.path for item in table.served] == ["/v1/courses"]


@pytest.mark.parametrize(("endpoints", "serves"), [(POD, "content"), ({}, "next")])
def test_whom_the_operator_gives_its_path_to_is_served_once_it_has_no_pod(
    endpoints: dict[str, tuple[Endpoint, ...]], serves: str
) -> None:
    table = decide(Snapshot((LEAVING, service("next", claimed("/v1/courses"))), endpoints))
    assert [item.service for item in table.served] == [serves]


async def test_o12_its_last_pod_finishes_what_it_has_begun_while_the_route_is_gone() -> None:
    pod = await Upstream.start()
    content = service("content", claimed("/v1/courses"))
    async with running(Snapshot((content,), {"content": (Endpoint("127.0.0.1", pod.port),)})) as rig:
        rig.source.set_service(LEAVING)
        await rig.live()
        assert (await rig.http.get("/v1/courses")).status_code == 200

        slow = asyncio.create_task(rig.http.get("/v1/courses/slow"))
        await asyncio.sleep(0.2)
        rig.source.set_endpoints("content")
        await rig.live()
        gone = await rig.http.get("/v1/courses")
        assert not slow.done()
        assert gone.status_code == 404
        assert gone.headers["content-type"] == "application/problem+json"
        assert (await slow).status_code == 200
    await pod.stop()
