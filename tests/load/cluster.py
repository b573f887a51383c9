"""The cluster that is measured: the one that `make up` made, seen through the operator's own pooled client."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.conditions import pod_trouble
from suuupra_operator.kinds import CHILDREN, POD, SERVICE, Kind, kind_of

from .report import ROOT

NAMESPACE: Final = "suuupra"
OPERATOR_NAMESPACE: Final = "suuupra-system"
LABEL: Final = "suuupra.io/bench"
"""On everything that a benchmark applies, so that it can be taken away again, also after a run that was cut off."""
INSTANCE: Final = "app.kubernetes.io/instance"
GONE_SECONDS: Final = 180.0
HOPELESS: Final = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
"""What the kubelet says of a container that will not start by being waited for."""
_SAMPLE: Final = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


class NoCluster(Exception):
    """There is nothing to measure; the text says where it was looked for."""


def kubeconfig() -> Path:
    """Of the cluster to measure. SUUUPRA_TEST_KUBECONFIG names another than that of `make up`."""
    own = ROOT / ".state" / "clusters" / "suuupra" / "kubeconfig"
    found = Path(os.environ.get("SUUUPRA_TEST_KUBECONFIG", own))
    if not found.exists():
        raise NoCluster(f"no cluster to measure: {found} is missing; run `make up` first")
    return found


class WillNotStart(Exception):
    """A pod that is not worth waiting for; the text names it and has its last words."""


class Client(Cluster):
    """The administrator, who applies as anybody with kubectl does."""

    async def put(self, manifest: Object) -> Object:
        """Server-side apply under a name of its own; the operator's fields stay the operator's."""
        meta = manifest["metadata"]
        path = kind_of(manifest).path(meta.get("namespace"), meta["name"])
        params = {"fieldManager": "bench", "force": "true"}
        return await self._call("PATCH", path, manifest, "application/apply-patch+yaml", params)

    async def operator_totals(self) -> dict[str, float]:
        """The operator's own counters, each summed over its labels, by name."""
        pods, _ = await self.items(
            POD, OPERATOR_NAMESPACE, labelSelector="app.kubernetes.io/component=operator"
        )
        totals: dict[str, float] = {}
        for pod in pods:
            path = POD.path(OPERATOR_NAMESPACE, f"{pod['metadata']['name']}:9000", "proxy/metrics")
            for name, value in _SAMPLE.findall(await self.text(path)):
                totals[name] = totals.get(name, 0.0) + float(value)
        return totals


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    os.environ["KUBECONFIG"] = str(kubeconfig())
    client = Client.of_environment()
    await client.open()
    try:
        yield client
    finally:
        await client.close()


class Arrivals:
    """When each object of one kind was first seen as it should be, by watch."""

    def __init__(self, settled: Callable[[Object], bool]) -> None:
        self._settled = settled
        self._seen: dict[str, asyncio.Future[float]] = {}

    async def of(self, name: str) -> float:
        """The moment, in seconds of `time.perf_counter`; waits for it."""
        return await self._future(name)

    def _future(self, name: str) -> asyncio.Future[float]:
        return self._seen.setdefault(name, asyncio.get_running_loop().create_future())

    def take(self, obj: Object) -> None:
        future = self._future(obj["metadata"]["name"])
        if not future.done() and self._settled(obj):
            future.set_result(time.perf_counter())


@asynccontextmanager
async def arriving(
    client: Client, kind: Kind, names: Iterable[str], settled: Callable[[Object], bool], *, limit: float
) -> AsyncIterator[Arrivals]:
    """Watch what carries LABEL, and the pods of the instances `names`, while the body runs.

    Raises:
        WillNotStart: one of those pods crashes or has no image, as soon as the kubelet gives it a pause.
        TimeoutError: the body takes more than `limit` seconds.
    """
    arrivals = Arrivals(settled)
    seen: list[tuple[Kind, str, Callable[[Object], None]]] = [
        (kind, LABEL, arrivals.take),
        (POD, _of_instances(names), _hope),
    ]
    places = [(await client.items(kind, NAMESPACE, labelSelector=selector))[1] for kind, selector, _ in seen]
    try:
        async with asyncio.timeout(limit), asyncio.TaskGroup() as group:
            following = [
                group.create_task(_follow(client, *one, place))
                for one, place in zip(seen, places, strict=True)
            ]
            yield arrivals
            for task in following:
                task.cancel()
    except ExceptionGroup as failed:
        cause, *others = failed.exceptions
        if others:
            raise
        raise cause from None


async def _follow(
    client: Client, kind: Kind, selector: str, take: Callable[[Object], None], place: str
) -> None:
    while True:  # the API server ends a watch after some minutes
        async for event in client.watch(kind, NAMESPACE, place, labelSelector=selector):
            place = event["object"]["metadata"]["resourceVersion"]
            if event["type"] in ("ADDED", "MODIFIED"):
                take(event["object"])


def _hope(pod: Object) -> None:
    reason = hopeless(pod)
    if reason:
        raise WillNotStart(reason)


def hopeless(pod: Object) -> str:
    """Why a pod will not start however long one waits, with its name and last words; empty where it may."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        reason = container.get("state", {}).get("waiting", {}).get("reason")
        if reason in HOPELESS:
            return f"pod {pod['metadata']['name']} is in {reason}: {pod_trouble(pod)}"
    return ""


async def clear(client: Client, names: Iterable[str]) -> None:
    """Delete what benchmarks applied and wait until nothing of the instances `names` is left, pods included."""
    stand_in = Kind("v1", "ConfigMap", "configmaps")
    deployment = next(kind for kind in CHILDREN if kind.name == "Deployment")
    for kind in (SERVICE, stand_in, deployment):
        items, _ = await client.items(kind, NAMESPACE, labelSelector=LABEL)
        await asyncio.gather(*(client.delete(item) for item in items))
    selector = _of_instances(names)
    deadline = time.monotonic() + GONE_SECONDS
    while left := await _left(client, selector):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {GONE_SECONDS:.0f} s still there: {', '.join(left[:5])}")
        await asyncio.sleep(0.5)


def _of_instances(names: Iterable[str]) -> str:
    return f"{INSTANCE} in ({','.join(names)})"


async def _left(client: Client, selector: str) -> list[str]:
    resources, _ = await client.items(SERVICE, NAMESPACE, labelSelector=LABEL)
    found = [*resources]
    for kind in (*CHILDREN, POD):
        found += (await client.items(kind, NAMESPACE, labelSelector=selector))[0]
    return [f"{obj['kind']} {obj['metadata']['name']}" for obj in found]
