"""Changes of routes, endpoints and pods under load: every request is answered by a service."""

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY

from services.api_gateway.domain.envoy.config import Config, build
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.routes import Claimed, Endpoint, Snapshot
from services.api_gateway.domain.table import Table
from services.api_gateway.envoy import publisher
from services.api_gateway.tests.pairs import MemoryBuckets, gateway
from services.api_gateway.tests.rig import (
    EMPTY,
    Rig,
    Upstream,
    bearer,
    claimed,
    eventually,
    listens,
    running,
    service,
    until,
)
from services.api_gateway.usecases.apply import Builder
from services.api_gateway.usecases.serve import Draining, Status


@dataclass
class Load:
    """Callers that never pause. Counts answers by status, and by what went wrong otherwise."""

    url: str
    token: str
    answers: Counter[str] = field(default_factory=Counter)
    stopping: bool = False

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    @property
    def failures(self) -> dict[str, int]:
        return {what: count for what, count in self.answers.items() if what != "200"}

    async def caller(self, session: aiohttp.ClientSession, number: int) -> None:
        methods = itertools.cycle(["GET", "POST"] if number % 2 else ["GET"])
        while not self.stopping:
            self.answers[await self._one(session, next(methods))] += 1

    async def _one(self, session: aiohttp.ClientSession, method: str) -> str:
        try:
            async with session.request(method, self.url, headers=bearer(self.token)) as answer:
                await answer.read()
                return str(answer.status)
        except aiohttp.ClientError as error:
            return type(error).__name__


@asynccontextmanager
async def load_on(rig: Rig, path: str, callers: int = 8) -> AsyncIterator[Load]:
    load = Load(f"{rig.url}{path}", rig.issuer.token())
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for number in range(callers):
            tasks.create_task(load.caller(session, number))
        try:
            yield load
        finally:
            load.stopping = True


def content_routes(number: int) -> tuple[Claimed, ...]:
    """The route under load, and ever different neighbours above and below it."""
    return (
        claimed("/v1/courses", auth="user"),
        claimed(f"/v1/extra-{number}", limits=[{"rate": "5/s", "by": "address"}]),
        claimed(f"/v1/courses/special-{number}", methods=["GET"], match="exact"),
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("requests", "changes"), [(1_000, 4), pytest.param(5_000, 12, marks=pytest.mark.slow)]
)
async def test_requests_while_routes_and_pods_change_lose_none(requests: int, changes: int) -> None:
    pods = [await Upstream.start() for _ in range(2)]
    source_routes = content_routes(0)
    snapshot = Snapshot((service("content", *source_routes),), {"content": _endpoints(pods)})
    async with running(snapshot) as rig:
        async with load_on(rig, "/v1/courses/x") as load:
            number = 0
            while load.total < requests or number < changes:
                number += 1
                rig.source.set_service(service("content", *content_routes(number)))
                rig.source.set_service(
                    service(f"neighbour-{number % 3}", claimed(f"/v1/neighbour-{number % 3}"))
                )
                await rig.live()
                if number % 3 == 0:
                    pods = await _roll(rig, pods)
                await asyncio.sleep(0.1)
        assert load.failures == {}
        assert load.total >= requests
        assert number >= changes
    for pod in pods:
        await pod.stop()


def _endpoints(pods: list[Upstream]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint("127.0.0.1", pod.port) for pod in pods)


async def _roll(rig: Rig, pods: list[Upstream]) -> list[Upstream]:
    """Replace the oldest pod as Kubernetes does: a new one is ready, the old one is taken out, and ends in its drain.

    That is longer than the gateway needs; here it is as long, so that a gateway which goes on asking it is found out.
    """
    old, *others = pods
    kept = [*others, await Upstream.start()]
    rig.source.set_endpoints("content", *(pod.port for pod in kept))
    await rig.live()
    await until(lambda: connections_to(old.port) == 0)
    await old.stop()
    return kept


def connections_to(port: int) -> int:
    """How many a local server on this port has, by the kernel's own table (proc(5): local address, state 01 is open)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.timeout(60)
async def test_a_pod_that_dies_unannounced_loses_no_safe_request() -> None:
    pods = [await Upstream.start() for _ in range(2)]
    snapshot = Snapshot((service("content", claimed("/v1/courses")),), {"content": _endpoints(pods)})
    async with running(snapshot) as rig:
        url, answers = f"{rig.url}/v1/courses/x", Counter[int]()
        async with aiohttp.ClientSession() as session:
            for number in range(1_000):
                if number == 300:
                    await pods[0].kill()
                async with session.get(url) as answer:
                    answers[answer.status] += 1
        assert answers == {200: 1_000}
    await pods[1].stop()


async def answered(rig: Rig, path: str, status: int, headers: dict[str, str] | None = None) -> bool:
    return (await rig.http.get(path, headers=headers)).status_code == status


async def test_a_change_is_live_within_two_seconds() -> None:
    pod = await Upstream.start()
    async with running(Snapshot((), {"content": _endpoints([pod])})) as rig:
        took = []
        for number in range(10):
            began = time.perf_counter()
            rig.source.set_service(service("content", claimed(f"/v1/new-{number}")))
            await eventually(partial(answered, rig, f"/v1/new-{number}", 200))
            took.append(time.perf_counter() - began)
        assert max(took) < 2.0
    await pod.stop()


MANY, ONE = {"rate": "1000/h"}, {"rate": "1/h"}
LIVE: list[tuple[dict[str, Any], bool, int]] = [
    ({"auth": "none", "limits": [MANY]}, False, 200),
    ({"auth": "user", "limits": [MANY]}, False, 401),
    ({"auth": "user", "scopes": ["content:write"], "limits": [MANY]}, True, 403),
    ({"auth": "user", "limits": [MANY]}, True, 200),
    ({"auth": "user", "limits": [ONE]}, True, 429),
]
"""What one route is made, one after another, and what becomes then of a caller without or with a token."""


@pytest.mark.parametrize("common", [False, True], ids=["alone", "counted in common"])
async def test_a_live_route_guards_and_limits_as_it_says_now_within_two_seconds(
    tmp_path: Path, *, common: bool
) -> None:
    pod = await Upstream.start()
    snapshot = Snapshot((service("content", claimed("/v1/live")),), {"content": _endpoints([pod])})
    made = gateway(snapshot, MemoryBuckets(), tmp_path) if common else running(snapshot)
    async with made as rig:
        token = bearer(rig.issuer.token(scope="content:read"))
        took = []
        for fields, signed_in, status in LIVE * 2:
            began = time.perf_counter()
            rig.source.set_service(service("content", claimed("/v1/live", **fields)))
            await eventually(partial(answered, rig, "/v1/live", status, token if signed_in else {}))
            took.append(time.perf_counter() - began)
        assert max(took) < 2.0
    await pod.stop()


async def test_a_removed_service_vanishes_and_leaves_nothing_behind() -> None:
    pod = await Upstream.start()
    snapshot = Snapshot((service("content", claimed("/v1/courses")),), {"content": _endpoints([pod])})
    async with running(snapshot) as rig:
        assert (await rig.http.get("/v1/courses")).status_code == 200
        rig.source.remove_service("content")
        await rig.live()
        assert (await rig.http.get("/v1/courses")).status_code == 404
        assert not (rig.folder / "eds-content.json").exists()
    await pod.stop()


def spoiling(path: str) -> Builder:
    """A builder with a fault: it writes the route of one path in a way that Envoy refuses."""

    def spoilt(table: Table, snapshot: Snapshot, options: Options) -> Config:
        config = build(table, snapshot, options)
        for route in config.routes.resources[0]["virtual_hosts"][0]["routes"]:
            if route["match"].get("path_separated_prefix") == path:
                route["match"]["path_separated_prefix"] = f"{path}/"
        return config

    return spoilt


async def test_routes_envoy_refuses_leave_the_last_ones_and_stop_nobody_else() -> None:
    pod = await Upstream.start()
    endpoints = {"content": _endpoints([pod]), "other": _endpoints([pod])}
    snapshot = Snapshot((service("content", claimed("/v1/courses")),), endpoints)
    async with running(snapshot, builder=spoiling("/v1/spoilt")) as rig:
        spoilt = service("content", claimed("/v1/courses"), claimed("/v1/spoilt"))
        rig.source.set(Snapshot((spoilt, service("other", claimed("/v1/other"))), endpoints))
        await until(lambda: "content" in rig.gateway.status.applied.held)
        statuses = [
            (await rig.http.get(f"/v1/{path}")).status_code for path in ("courses", "other", "spoilt")
        ]
        assert statuses == [200, 200, 404]
        assert "PathSeparatedPrefix" in rig.gateway.status.applied.held["content"].reason

        rig.source.set_service(service("other", claimed("/v1/another")))
        await rig.live()
        assert (await rig.http.get("/v1/another")).status_code == 200
        assert "content" in rig.gateway.status.applied.held

        rig.source.set_service(service("content", claimed("/v1/mended")))
        await rig.live()
        assert (await rig.http.get("/v1/mended")).status_code == 200
        assert rig.gateway.status.applied.held == {}
    await pod.stop()


def times_late() -> float:
    return REGISTRY.get_sample_value("suuupra_gateway_configurations_late_total") or 0.0


async def test_an_envoy_that_is_busy_for_a_while_gets_the_change_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = await Upstream.start(), await Upstream.start()
    snapshot = Snapshot((service("content", claimed("/v1/courses")),), {"content": _endpoints([old])})
    async with running(snapshot) as rig:
        assert rig.gateway.envoy_pid
        monkeypatch.setattr(publisher, "_TAKES_SECONDS", 0.2)  # Envoy has started, which may take longer
        before = times_late()
        os.kill(rig.gateway.envoy_pid, signal.SIGSTOP)
        try:
            rig.source.set_endpoints("content", new.port)
            await until(lambda: times_late() > before)
        finally:
            os.kill(rig.gateway.envoy_pid, signal.SIGCONT)
        await rig.live()
        assert rig.gateway.status.applied.held == {}
        await old.stop()
        assert (await rig.http.get("/v1/courses/x")).status_code == 200
    await new.stop()


async def test_a_service_refused_at_first_is_served_once_it_is_mended_with_other_pods() -> None:
    old, new = await Upstream.start(), await Upstream.start()
    endpoints = {"content": _endpoints([old])}
    async with running(Snapshot((), endpoints), builder=spoiling("/v1/spoilt")) as rig:
        rig.source.set_service(service("content", claimed("/v1/spoilt")))
        await until(lambda: "content" in rig.gateway.status.applied.held)
        rig.source.set_service(service("other", claimed("/v1/other")))
        await rig.live()
        rig.source.set(Snapshot((service("content", claimed("/v1/mended")),), {"content": _endpoints([new])}))
        await rig.live()
        await old.stop()
        assert (await rig.http.get("/v1/mended")).status_code == 200
        assert rig.gateway.status.applied.held == {}
    await new.stop()


async def test_envoys_death_is_the_processs_death() -> None:
    async with running() as rig:
        assert rig.gateway.envoy_pid
        os.kill(rig.gateway.envoy_pid, signal.SIGKILL)
        with pytest.raises(ExceptionGroup, match=r"unhandled errors") as caught:
            await rig.task
        assert "Envoy ended by itself" in str(caught.value.exceptions[0])


async def test_drain_finishes_what_is_in_flight_and_then_refuses() -> None:
    pod = await Upstream.start()
    snapshot = Snapshot((service("content", claimed("/v1/courses")),), {"content": _endpoints([pod])})
    async with running(snapshot, Draining(0.3, 10)) as rig:
        slow = asyncio.create_task(rig.http.get("/v1/courses/slow"))
        await asyncio.sleep(0.1)
        await rig.gateway.stop()
        await until(lambda: rig.gateway.health() is not None)
        leaving = await rig.http.get("/v1/courses")  # the node may still send us callers
        await until(lambda: not listens(rig.port))
        answer = await slow
        await rig.task
        assert answer.status_code == leaving.status_code == 200
        assert leaving.headers["connection"] == "close"
    await pod.stop()


async def leaving_when_told(url: str, answers: Counter[str]) -> None:
    """One connection, asked without a pause until an answer says it closes; the next would go to another gateway."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        told = False
        while not told:
            async with session.get(url) as answer:
                await answer.read()
                answers[str(answer.status)] += 1
                told = answer.headers.get("connection") == "close"


@pytest.mark.timeout(60)
async def test_draining_under_load_loses_none() -> None:
    """Callers that leave when told to, as kube-proxy makes them, all leave in time and none lost a request.

    A connection opened after the notice and not yet accepted when the listener closes is reset by the kernel: that
    is why others are given time to notice first.
    """
    pod = await Upstream.start()
    snapshot = Snapshot((service("content", claimed("/v1/courses")),), {"content": _endpoints([pod])})
    async with running(snapshot, Draining(3.0, 10)) as rig:
        answers: Counter[str] = Counter()
        async with asyncio.TaskGroup() as callers:
            for _ in range(8):
                callers.create_task(leaving_when_told(f"{rig.url}/v1/courses/x", answers))
            await until(lambda: answers.total() > 500)
            await rig.gateway.stop()
        assert listens(rig.port)  # all have left by themselves, before anything was refused
        assert set(answers) == {"200"}
        await rig.task
    await pod.stop()


async def test_not_ready_before_the_first_configuration_is_live() -> None:
    async with running(EMPTY) as rig:
        assert rig.gateway.health() is None
        rig.gateway.status = Status(rig.gateway.status.applied)
        assert rig.gateway.health() == "no configuration is live in Envoy yet"
        rig.source.wrong = "the API server cannot be reached"
        assert rig.gateway.health() == "the API server cannot be reached"
