"""The page for operators and its JSON twin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.api_gateway import api
from services.api_gateway.domain.envoy.options import Keys, Options
from services.api_gateway.domain.holding import Held
from services.api_gateway.domain.routes import Claimed, Endpoint, Snapshot
from services.api_gateway.domain.table import decide
from services.api_gateway.tests.rig import (
    AUDIENCE,
    ISSUER,
    DrivenSource,
    Issuer,
    Rig,
    bearer,
    claimed,
    running,
    service,
)
from services.api_gateway.usecases.apply import Applied
from services.api_gateway.usecases.serve import Draining, Gateway, Status
from suuupra.clock import SystemClock

CONFLICT = Claimed(
    {"path": "/v1/taken"}, accepted=False, reason="RouteConflict", message="held by <b>content</b>"
)
SNAPSHOT = Snapshot(
    (
        service(
            "content",
            claimed("/v1/courses", methods=["GET"], limits=[{"rate": "20/s", "by": "address"}]),
            claimed(
                "/v1/authoring",
                auth="user",
                scopes=["content:write"],
                timeout="0s",
                limits=[{"rate": "9/m", "by": "client"}, {"rate": "5/m", "burst": 7, "by": "subject"}],
            ),
        ),
        service("late", CONFLICT, claimed("/v1/lonely")),
    ),
    {"content": (Endpoint("10.0.0.1", 8000), Endpoint("10.0.0.2", 8000))},
)


def gateway_in(folder: Path) -> Gateway:
    """Never run: the page tells what is known without Envoy too."""
    options = Options(ISSUER, AUDIENCE, Keys(inline=Issuer.new().jwks), folder, page_needs_operator=False)
    gateway = Gateway(options, DrivenSource(SNAPSHOT), SystemClock(), concurrency=1, draining=Draining())
    table = decide(SNAPSHOT)
    held = {"content": Held(table.served[:1], "Envoy says no")}
    applied = Applied(SNAPSHOT, table, "abc123", held)
    gateway.status = Status(
        applied, live=True, updated=datetime(2026, 11, 23, 9, tzinfo=UTC), took_seconds=0.012
    )
    return gateway


@asynccontextmanager
async def client_of(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(api.router(gateway, guarded=False))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        yield http


async def test_json_tells_routes_backends_and_refusals(tmp_path: Path) -> None:
    async with client_of(gateway_in(tmp_path)) as http:
        told = (await http.get("/gateway/routes.json")).json()
    routes = {route["path"]: route for route in told["routes"]}
    assert told["version"] == "abc123"
    assert told["envoy"] == "AWAY"
    assert routes["/v1/courses"]["ready_endpoints"] == 2
    assert routes["/v1/courses"]["limits"] == [{"rate": "20/s", "burst": 20, "by": "address"}]
    assert routes["/v1/authoring"]["scopes"] == ["content:write"]
    assert {(refused["path"], refused["by"]) for refused in told["refused"]} == {
        ("/v1/taken", "operator"),
        ("/v1/authoring", "envoy"),
    }


async def test_the_page_says_the_same_to_people_and_escapes_what_resources_say(tmp_path: Path) -> None:
    gateway = gateway_in(tmp_path)
    assert isinstance(gateway.source, DrivenSource)
    gateway.source.wrong = "The API server cannot be reached"
    async with client_of(gateway) as http:
        page = (await http.get("/gateway")).text
    assert "abc123" in page
    assert "Envoy is AWAY." in page
    assert "The API server cannot be reached. What was last known keeps being served." in page
    assert "No ready endpoints, so callers get 503: late." in page
    assert "held by &lt;b&gt;content&lt;/b&gt;" in page
    assert "Envoy says no" in page
    assert "<td>9/m, burst 9, by client; 5/m, burst 7, by subject</td>" in page
    assert "<td>none</td>" in page


async def test_its_look_comes_from_beside_it(tmp_path: Path) -> None:
    async with client_of(gateway_in(tmp_path)) as http:
        page = (await http.get("/gateway")).text
        sheet = page.split('rel="stylesheet" href="', 1)[1].split('"', 1)[0]
        assert sheet.startswith("/gateway/_ui/")
        assert (await http.get(sheet)).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("roles", "status"), [(["operator"], 503), (["learner"], 403), ([], 403), (None, 403)]
)
async def test_elsewhere_than_local_envoy_asks_for_the_operator_role(
    roles: list[str] | None, status: int
) -> None:
    """503: the page itself is not up in this test, so that much is Envoy's verdict alone."""
    async with running(page_needs_operator=True) as rig:
        assert await status_with(rig, roles) == status
        assert (await rig.http.get("/gateway")).status_code == 401


async def status_with(rig: Rig, roles: list[str] | None) -> int:
    return (await rig.http.get("/gateway", headers=bearer(rig.issuer.token(roles=roles)))).status_code
