"""What the platform takes while nobody uses it: the node as its kubelet counts it, held against what issue and
laptop allow. Processor time is the mean over a window, from counters; memory is the working set at its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from suuupra_operator.kinds import Kind

from .cluster import Client, connected
from .report import Figure, over, say

MEMORY_ALLOWED_GIB = 6.0
CORES_ALLOWED = 0.7
WINDOW_SECONDS = 90
GROUPS = {"suuupra": "services", "suuupra-system": "operator", "suuupra-infra": "backing servers"}
PLATFORM = "the platform"
"""All that is ours to answer for: everything but Kubernetes. It is what must keep to the budget."""
KUBERNETES = "Kubernetes"
NODE = Kind("v1", "Node", "nodes", namespaced=False)


@dataclass(frozen=True)
class Reading:
    """Counters of one container, or of the node."""

    at: datetime
    core_seconds: float
    bytes: int

    @classmethod
    def of(cls, stats: Mapping[str, Any]) -> Reading:
        at = datetime.fromisoformat(stats["cpu"]["time"].replace("Z", "+00:00"))
        return cls(at, stats["cpu"]["usageCoreNanoSeconds"] / 1e9, stats["memory"]["workingSetBytes"])

    def cores_since(self, earlier: Reading) -> float:
        """Mean cores between two readings; the kubelet takes them at its own pace, so their own times count."""
        elapsed = (self.at - earlier.at).total_seconds()
        return (self.core_seconds - earlier.core_seconds) / elapsed if elapsed > 0 else 0.0


@dataclass(frozen=True)
class Use:
    """Mean cores and bytes of memory."""

    cores: float = 0.0
    bytes: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(self.cores + other.cores, self.bytes + other.bytes)

    def __sub__(self, other: Use) -> Use:
        return Use(self.cores - other.cores, self.bytes - other.bytes)


Name = tuple[str, str]
"""Namespace and pod/container; the node itself is ("", "")."""
Snapshot = Mapping[Name, Reading]


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure())


async def _measure() -> Sequence[Figure]:
    async with connected() as client:
        name = await node_of(client)
        before = await snapshot(client, name)
        say(f"counting for {WINDOW_SECONDS} s")
        await asyncio.sleep(WINDOW_SECONDS)
        return figures(before, await snapshot(client, name))


def figures(before: Snapshot, after: Snapshot) -> list[Figure]:
    """Everything first, then what of it is the platform's, then who it is made of, the largest first."""
    used = _used(before, after)
    everything = used.pop(("", ""))
    members = {name: [key for key in used if key[0] == space] for space, name in GROUPS.items()}
    groups = {name: _sum(used[key] for key in keys) for name, keys in members.items()}
    platform = _sum(groups.values())
    ours = [key for key in used if key[0] in GROUPS]
    groups[KUBERNETES] = everything - platform
    members[KUBERNETES] = [key for key in used if key[0] not in GROUPS]
    return [
        _memory("everything", everything, _most(used, used, _bytes)),
        _processor("everything", everything, _most(used, used, _cores)),
        _memory(PLATFORM, platform, _most(used, ours, _bytes)),
        _processor(PLATFORM, platform, _most(used, ours, _cores)),
        *(
            _memory(name, use, _most(used, members[name], _bytes))
            for name, use in sorted(groups.items(), key=lambda item: -item[1].bytes)
        ),
        *(
            _processor(name, use, _most(used, members[name], _cores))
            for name, use in sorted(groups.items(), key=lambda item: -item[1].cores)
        ),
    ]


def busiest(before: Snapshot, after: Snapshot) -> tuple[float, str]:
    """Mean cores of the node between two snapshots, and the containers that took most of them."""
    used = _used(before, after)
    everything = used.pop(("", ""))
    return everything.cores, _most(used, used, _cores)


def _used(before: Snapshot, after: Snapshot) -> dict[Name, Use]:
    return {
        key: Use(after[key].cores_since(before[key]), after[key].bytes)
        for key in before.keys() & after.keys()
    }


def _memory(name: str, use: Use, bound: str) -> Figure:
    ours = use.bytes / 2**30
    breaks = name == PLATFORM and ours > MEMORY_ALLOWED_GIB
    peer = f"{MEMORY_ALLOWED_GIB:.0f} GiB for {PLATFORM}"
    return Figure(f"memory, {name}", f"{ours:.2f} GiB", peer, over(ours, MEMORY_ALLOWED_GIB), bound, breaks)


def _processor(name: str, use: Use, bound: str) -> Figure:
    ratio, breaks = over(use.cores, CORES_ALLOWED), name == PLATFORM and use.cores > CORES_ALLOWED
    peer = f"{CORES_ALLOWED} core for {PLATFORM}"
    return Figure(f"processor, {name}", f"{use.cores:.3f} core", peer, ratio, bound, breaks)


def _most(used: Mapping[Name, Use], among: Iterable[Name], amount: Callable[[Use], float]) -> str:
    """The three containers that take most, with their share of what all of these take."""
    keys = sorted(among, key=lambda key: -amount(used[key]))
    whole = sum(amount(used[key]) for key in keys) or 1.0
    return ", ".join(f"{_called(key)} {amount(used[key]) / whole:.0%}" for key in keys[:3])


def _called(name: Name) -> str:
    """The container, with its workload where the container's name does not say it already."""
    pod, _, container = name[1].partition("/")
    return container if pod.startswith(container) else f"{pod.rsplit('-', 2)[0]} {container}"


def _bytes(use: Use) -> float:
    return use.bytes


def _cores(use: Use) -> float:
    return use.cores


def _sum(uses: Iterable[Use]) -> Use:
    return sum(uses, Use())


async def node_of(client: Client) -> str:
    """The name of the cluster's one node."""
    nodes, _ = await client.items(NODE)
    return str(nodes[0]["metadata"]["name"])


async def snapshot(client: Client, node: str) -> Snapshot:
    """As the kubelet has it in its stats summary, which it renews every ten to fifteen seconds."""
    summary = json.loads(await client.text(NODE.path(None, node, "proxy/stats/summary")))
    readings = {("", ""): Reading.of(summary["node"])}
    for pod in summary["pods"]:
        namespace, name = pod["podRef"]["namespace"], pod["podRef"]["name"]
        for container in pod["containers"]:
            readings[namespace, f"{name}/{container['name']}"] = Reading.of(container)
    return readings
