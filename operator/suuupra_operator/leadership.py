"""One writer among several replicas: a Lease, and a fence that every write passes.

The holder renews every RETRY_SECONDS. Time is measured by CLOCK_BOOTTIME, which runs on while the process is stopped
or the machine sleeps, and counted from *before* each renewal was sent; so a process that was frozen past its Lease
finds its fence down with its first instruction, whatever the wall clock says. Others wait LEASE_SECONDS from when they
themselves last saw the Lease change, as client-go does: no two clocks are compared.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from suuupra_operator import metrics
from suuupra_operator.cluster import Cluster, Object
from suuupra_operator.errors import ApiError, LeadershipLost, Unreachable
from suuupra_operator.kinds import LEASE

LEASE_SECONDS = 15
FENCE_SECONDS = 11
"""Writes stop this long after the last renewal was sent: well before anybody else may begin."""
RETRY_SECONDS = 2.0
"""Pause between tries to take the Lease, and between renewals, unless it is set otherwise."""

log = logging.getLogger(__name__)


def boottime() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Leadership:
    """This process's claim on the Lease ``namespace/name``."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        *,
        clock: Callable[[], float] = boottime,
        identity: str = "",
        retry: float = RETRY_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._retry = retry
        self._namespace, self._name = namespace, name
        self._clock = clock
        self.identity = identity or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._fenced_after = 0.0
        self._seen: tuple[Any, ...] = ()
        self._seen_at = 0.0
        self.acquired = asyncio.Event()

    def check(self) -> None:
        """Raise LeadershipLost unless the Lease is surely held right now."""
        if self._clock() >= self._fenced_after:
            raise LeadershipLost("the Lease may have passed to another replica")

    async def confirm(self) -> None:
        """Raise LeadershipLost unless the API server, too, says that we hold the Lease."""
        self.check()
        lease = await self._cluster.get(LEASE, self._name, self._namespace)
        if lease is None or lease["spec"].get("holderIdentity") != self.identity:
            self._fenced_after = 0.0
            raise LeadershipLost("the Lease names another holder")
        self.check()

    async def run(self) -> None:
        """Acquire, then renew for ever; raises LeadershipLost when the Lease is gone. Acquired once per process."""
        await self._acquire()
        log.info("leading as %s", self.identity)
        metrics.LEADING.set(1)
        self.acquired.set()
        try:
            while True:
                await asyncio.sleep(self._retry)
                await self._attempt()
                self.check()
        finally:
            metrics.LEADING.set(0)

    async def _acquire(self) -> None:
        """Ask again and again: a Lease that expires sends no event."""
        while True:
            if await self._attempt():
                return
            await asyncio.sleep(self._retry)

    async def release(self) -> None:
        """Let the next replica begin at once instead of waiting for the Lease to expire."""
        if not self.acquired.is_set():
            return
        try:
            self.check()
            lease = await self._cluster.get(LEASE, self._name, self._namespace)
            if lease is not None and lease["spec"].get("holderIdentity") == self.identity:
                lease["spec"]["holderIdentity"] = ""
                await self._cluster.replace(lease)
        except (ApiError, Unreachable, LeadershipLost) as error:
            log.warning("the Lease was not released, it will expire: %s", error)
        self._fenced_after = 0.0

    async def _attempt(self) -> bool:
        """One try to get or renew; True when it is ours. A conflict or an absent server is simply no success."""
        asked_at = self._clock()
        try:
            async with asyncio.timeout(FENCE_SECONDS / 3):
                return await self._take(asked_at)
        except ApiError as error:
            if error.temporary:
                return False
            raise
        except (Unreachable, TimeoutError):
            return False

    async def _take(self, asked_at: float) -> bool:
        """Get or renew; ``asked_at`` is when the request began, so that the fence never outlives the Lease."""
        lease = await self._cluster.get(LEASE, self._name, self._namespace)
        if lease is None:
            await self._create()
        elif self._may_take(lease):
            await self._cluster.replace(self._taken(lease))
        else:
            return False
        self._fenced_after = asked_at + FENCE_SECONDS
        return True

    def _may_take(self, lease: Object) -> bool:
        spec = lease["spec"]
        holder = spec.get("holderIdentity") or ""
        if holder == self.identity:
            return not self.acquired.is_set() or self._clock() < self._fenced_after
        if self.acquired.is_set():
            self._fenced_after = 0.0
            return False
        seen = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()
        duration = int(spec.get("leaseDurationSeconds") or LEASE_SECONDS)
        return not holder or self._clock() >= self._seen_at + duration

    def _taken(self, lease: Object) -> Object:
        spec = lease["spec"]
        changed = spec.get("holderIdentity") != self.identity
        return lease | {
            "spec": spec
            | {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": _now(),
                **({"acquireTime": _now()} if changed else {}),
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + int(changed),
            }
        }

    async def _create(self) -> None:
        lease: Object = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {},
        }
        lease = self._taken(lease)
        await self._cluster.create(lease)


def _now() -> str:
    """A MicroTime of Kubernetes."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
