"""How long the operator takes from apply to Ready, beside the same writes made by hand through the same client.

Without pods it is the operator and the API server that are measured; five a second shows the latency of one, fifty at
once how the queue drains. With pods it is mostly the kubelet and the start of Python: the peer is the bare Deployment
of the same pod. All times are the client's, from sending the apply to seeing the state by watch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from suuupra_operator.cluster import Object
from suuupra_operator.conditions import rollout
from suuupra_operator.kinds import DEPLOYMENT, SERVICE, Kind
from suuupra_operator.primaries import is_ready

from .by_hand import Hand, platform_of
from .cluster import LABEL, NAMESPACE, Arrivals, Client, arriving, clear, connected
from .report import Figure, over, percentile, say
from .workload import workload

RESOURCES: Final = 50
OURS: Final = [f"bench-{number:02d}" for number in range(RESOURCES)]
BARE: Final = [f"bare-{number:02d}" for number in range(RESOURCES)]
PACE_SECONDS: Final = 0.2
WORKERS: Final = 16
"""How many the operator works on at a time, and so does the hand."""
NO_PODS_LIMIT: Final = 60.0
PODS_LIMIT: Final = 900.0

One = Callable[[str, Arrivals], Awaitable[None]]
"""Makes one and waits for it."""
Start = Callable[[str], Awaitable[float]]
Pace = Callable[[Sequence[str], Start], Awaitable[list[float]]]
"""Starts all of them, and gives back the seconds of each."""


@dataclass(frozen=True)
class Run:
    """Seconds from apply to the wanted state, one per resource, and from the first apply to the last such state."""

    each: Sequence[float]
    whole: float

    def at(self, share: float) -> float:
        return percentile(self.each, share)


@dataclass(frozen=True)
class Cost:
    """Of one resource, by the operator's own account: writes to the API server and CPU seconds."""

    writes: float
    cpu_seconds: float


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure(workload()))


async def _measure(spec: Object) -> list[Figure]:
    async with connected() as client:
        await clear(client, (*OURS, *BARE))
        try:
            return [*await _without_pods(client, spec), *await with_pods(client, spec, OURS, BARE)]
        finally:
            await clear(client, (*OURS, *BARE))


async def _without_pods(client: Client, spec: Object) -> list[Figure]:
    spec = spec | {"replicas": {"min": 0}}
    before = await client.operator_totals()
    paced = await _ours(client, OURS, spec, _spread, NO_PODS_LIMIT)
    cost = _cost(before, await client.operator_totals())
    hand = await _hand(client, spec)
    await clear(client, OURS)
    paced_bare = await _bare(client, BARE, hand.everything, _spread, NO_PODS_LIMIT)
    await clear(client, BARE)
    burst = await _ours(client, OURS, spec, _at_once, NO_PODS_LIMIT)
    await clear(client, OURS)
    burst_bare = await _bare(client, BARE, hand.everything, _sixteen_at_once, NO_PODS_LIMIT)
    await clear(client, BARE)
    bound = (
        f"{cost.writes:.0f} writes and {cost.cpu_seconds * 1000:.0f} ms of the operator's CPU each; "
        "the Deployment controller has to answer in between"
    )
    return [
        *_figures("no pods, 5 a second", paced, paced_bare, "same writes by hand", bound),
        *_figures(
            f"no pods, {RESOURCES} at once", burst, burst_bare, "same writes by hand, 16 at a time", bound
        ),
        _whole(f"no pods, {RESOURCES} at once: all Ready", burst, burst_bare, "same writes by hand", bound),
    ]


async def with_pods(
    client: Client, spec: Object, ours_called: Sequence[str], bare_called: Sequence[str]
) -> list[Figure]:
    """Resources with a pod each, then bare Deployments of the very same pods."""
    spec = spec | {"replicas": {"min": 1}}
    ours = await _ours(client, ours_called, spec, _at_once, PODS_LIMIT)
    hand = await _hand(client, spec)
    await clear(client, ours_called)
    bare = await _bare(client, bare_called, hand.deployment, _at_once, PODS_LIMIT)
    await clear(client, bare_called)
    bound = "starting that many containers and Pythons on the node's cores"
    name, peer = f"with a pod each, {len(ours_called)} at once", "bare Deployments"
    return [*_figures(name, ours, bare, peer, bound), _whole(f"{name}: all Ready", ours, bare, peer, bound)]


async def _hand(client: Client, spec: Object) -> Hand:
    made = await client.get(SERVICE, OURS[0], NAMESPACE) or {}
    return Hand(client, await platform_of(client), spec, made["status"])


async def _ours(client: Client, names: Sequence[str], spec: Object, pace: Pace, limit: float) -> Run:
    async def apply(name: str, ready: Arrivals) -> None:
        await client.put(_resource(name, spec))
        await ready.of(name)

    return await _timed(client, SERVICE, is_ready, names, apply, pace, limit)


async def _bare(client: Client, names: Sequence[str], make: One, pace: Pace, limit: float) -> Run:
    return await _timed(client, DEPLOYMENT, _available, names, make, pace, limit)


async def _timed(
    client: Client,
    kind: Kind,
    settled: Callable[[Object], bool],
    names: Sequence[str],
    one: One,
    pace: Pace,
    limit: float,
) -> Run:
    began = time.perf_counter()
    async with arriving(client, kind, names, settled, limit=limit) as arrivals:
        each = await pace(names, lambda name: _seconds(one(name, arrivals)))
    say(f"{len(names)} of {names[0]} and so on in {time.perf_counter() - began:.1f} s")
    return Run(each, time.perf_counter() - began)


async def _seconds(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _at_once(names: Sequence[str], start: Start) -> list[float]:
    return await asyncio.gather(*(start(name) for name in names))


async def _sixteen_at_once(names: Sequence[str], start: Start) -> list[float]:
    """From the moment that all were asked for: those that wait for a free hand are waiting already."""
    free = asyncio.Semaphore(WORKERS)

    async def one(name: str) -> float:
        began = time.perf_counter()
        async with free:
            await start(name)
        return time.perf_counter() - began

    return await asyncio.gather(*(one(name) for name in names))


async def _spread(names: Sequence[str], start: Start) -> list[float]:
    async def one(number: int, name: str) -> float:
        await asyncio.sleep(number * PACE_SECONDS)
        return await start(name)

    return await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))


def _resource(name: str, spec: Object) -> Object:
    meta = {"name": name, "namespace": NAMESPACE, "labels": {LABEL: "ours"}}
    return {"apiVersion": SERVICE.api_version, "kind": SERVICE.name, "metadata": meta, "spec": spec}


def _available(deployment: Object) -> bool:
    return rollout([deployment]).ok


def _cost(before: dict[str, float], after: dict[str, float]) -> Cost:
    def each(name: str) -> float:
        return (after[name] - before[name]) / RESOURCES

    return Cost(each("suuupra_operator_writes_total"), each("process_cpu_seconds_total"))


def _figures(name: str, ours: Run, bare: Run, peer: str, bound: str) -> list[Figure]:
    return [
        Figure(
            f"{name}: p{share * 100:.0f}",
            _told(ours.at(share)),
            f"{peer} {_told(bare.at(share))}",
            over(ours.at(share), bare.at(share)),
            bound,
        )
        for share in (0.5, 0.95)
    ]


def _whole(name: str, ours: Run, bare: Run, peer: str, bound: str) -> Figure:
    return Figure(name, _told(ours.whole), f"{peer} {_told(bare.whole)}", over(ours.whole, bare.whole), bound)


def _told(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
