"""What nobody sends an event about: Kafka, PostgreSQL and the object store are read in bulk, resources are listed.

Only the leader does this. Its interval bounds how long a change made by hand in Kafka or PostgreSQL can last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from suuupra_operator import metrics
from suuupra_operator.backends import Backends, users
from suuupra_operator.cluster import Cluster
from suuupra_operator.errors import ApiError, OperatorError, Unreachable
from suuupra_operator.kinds import PLATFORM, RAIL, SERVICE
from suuupra_operator.platforms import PlatformReconciler
from suuupra_operator.policies import PolicyProbe
from suuupra_operator.primaries import PLATFORM_KEY, Primaries
from suuupra_operator.queue import Queue

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""How long one server may hold up what is known of the others."""


@dataclass
class Monitor:
    """Times are in seconds: ``every`` between bulk reads, ``relist`` between lists, ``resync`` between full rounds."""

    cluster: Cluster
    primaries: Primaries
    backends: Backends
    platforms: PlatformReconciler
    policies: PolicyProbe
    queue: Queue
    every: float = 15.0
    relist: float = 45.0
    resync: float = 600.0

    async def run(self) -> None:
        """Until cancelled. Intervals are from begin to begin, so a slow server does not stretch them."""
        listed = resynced = time.monotonic()
        while True:
            began = time.monotonic()
            try:
                await self.read()
                if began - listed >= self.relist:
                    listed = began
                    await self.list()
            except OperatorError as error:
                log.warning("bulk read: %s", error)
            except Exception:
                log.exception("bulk read failed; the next is in %g s", self.every)
            if began - resynced >= self.resync:
                resynced = began
                self.primaries.enqueue_all()
                metrics.RESYNCS.inc()
            await asyncio.sleep(max(0.2, self.every - (time.monotonic() - began)))

    async def read(self) -> None:
        """Read the backing servers; whoever's things differ from the last time, or were put right since, is looked at."""
        before = [finding.ok for finding in self.backends.findings()]
        if not all(before):
            await self.platforms.reconfigure()
        await self.backends.refresh(within=PATIENCE_SECONDS)
        await self.policies.refresh()
        recovered = self.backends.recovered()
        for key in self.backends.changed(self.primaries.claims, users(self.primaries.objects)):
            self.queue.add(key)
        if recovered:
            self.primaries.enqueue_all()
        if self.primaries.get(PLATFORM_KEY) is not None:
            self.queue.add(PLATFORM_KEY)

    async def list(self) -> None:
        """Heals what the watch may have lost, and lets liveness notice that it did."""
        for kind in (PLATFORM, RAIL, SERVICE):
            try:
                items, _ = await self.cluster.items(kind, resourceVersion="0")
                self.primaries.replace(kind.name, items)
            except (ApiError, Unreachable) as error:
                log.warning("list of %s: %s", kind.plural, error)
