"""The operator put together: the one place where its parts are made, started and stopped."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import kopf
from kopf._core.engines.peering import Identity

from suuupra_operator import logs, metrics, rule_files
from suuupra_operator.backends import Backends
from suuupra_operator.buckets import Buckets
from suuupra_operator.bus import Bus
from suuupra_operator.children import Children
from suuupra_operator.cluster import SILENCE_SECONDS, Cluster, established
from suuupra_operator.databases import Databases
from suuupra_operator.deletion import Deletion
from suuupra_operator.errors import ApiError, LeadershipLost, Temporary
from suuupra_operator.events import Recorder
from suuupra_operator.handlers import platforms, rails, services
from suuupra_operator.kinds import PLATFORM, RAIL, SERVICE
from suuupra_operator.leadership import Leadership
from suuupra_operator.monitor import Monitor
from suuupra_operator.peers import Peers
from suuupra_operator.platforms import PlatformReconciler
from suuupra_operator.policies import PolicyProbe
from suuupra_operator.primaries import PLATFORM_KEY, Primaries
from suuupra_operator.queue import Key, Queue
from suuupra_operator.rails import RailReconciler
from suuupra_operator.reconcile import Reconciler
from suuupra_operator.rollout import Rollout
from suuupra_operator.round import Outcome
from suuupra_operator.server import Server
from suuupra_operator.settings import Settings
from suuupra_operator.snapshots import Snapshots
from suuupra_operator.valkey import Valkey
from suuupra_operator.vault import Vault
from suuupra_operator.writer import Writer
from suuupra_operator.writes import Gate, noted

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 120.0
"""No reconcile holds a worker for longer; what it was waiting for is waited for by the next one."""
SILENT_SECONDS = 2 * SILENCE_SECONDS
"""Watches end and begin again when silent; one that has not managed to for this long never will."""


class Operator:
    """Caches are warm in every replica; only the holder of the Lease works on the queue and writes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cluster = Cluster.of_environment()
        self._unfenced = (
            Cluster.of_environment()
        )  # for the Lease itself, whose writes are fenced by their version
        self.leadership = Leadership(
            self._unfenced, settings.namespace, settings.lease, retry=settings.lease_seconds
        )
        self.cluster.fence(self.leadership.check)
        gate = Gate(self.leadership)
        self.queue = Queue()
        self.primaries = Primaries(self.queue, settings.namespaces)
        self.children = Children(self.cluster, gate, settings.namespaces, self._child_changed)
        self.backends = Backends(
            self.cluster, Databases(gate), Bus(gate), Buckets(gate), Vault(gate), Valkey(gate)
        )
        writer = Writer(self.cluster, gate, self.primaries)
        recorder = Recorder(self.cluster, gate, self.leadership.identity)
        self.policies = PolicyProbe(settings.in_cluster)
        self.platforms = PlatformReconciler(self.primaries, self.backends, writer, recorder, self.policies)
        self.peers = Peers(self.cluster, in_cluster=settings.in_cluster)
        self.rails = RailReconciler(
            self.cluster, self.primaries, self.peers, writer, recorder, settings.namespaces
        )
        self.snapshots = Snapshots(self.backends.databases, self.backends.store)
        self.services = Reconciler(
            self.primaries,
            self.children,
            self.backends,
            writer,
            recorder,
            Rollout(self.cluster, self.children, settings.image or None),
            Deletion(
                self.cluster,
                self.children,
                self.backends,
                self.snapshots,
                recorder,
                self.primaries,
                writer,
                settings.namespace,
            ),
            settings.namespaces,
            rule_files.read(settings.services),
        )
        self.monitor = Monitor(
            self.cluster,
            self.primaries,
            self.backends,
            self.platforms,
            self.policies,
            self.queue,
            settings.drift_seconds,
            settings.relist_seconds,
            settings.resync_seconds,
        )
        self.server = Server(settings.port, live=self._ill, ready=self._unready, scraped=self._scraped)
        self._synced = False

    async def run(self) -> None:
        """Until SIGTERM, or until the Lease is lost; then the process must end."""
        await self.cluster.open()
        await self._unfenced.open()
        await self.server.open()
        stop = asyncio.Event()
        try:
            await established(self.cluster, SERVICE, PLATFORM, RAIL)
            async with asyncio.TaskGroup() as group:
                kopf_task = group.create_task(self._kopf(stop))
                others = [group.create_task(self.children.run()), group.create_task(self._lead())]
                await kopf_task  # ends on SIGTERM
                for task in others:
                    task.cancel()
        finally:
            stop.set()
            await self.snapshots.close()
            await self.leadership.release()
            await self.backends.close()
            await self.peers.close()
            await self.server.close()
            await self.cluster.close()
            await self._unfenced.close()

    async def _kopf(self, stop: asyncio.Event) -> None:
        """kopf watches the resources and handles signals."""
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.inactivity_timeout = SILENCE_SECONDS
        services.register(registry, self.primaries)
        platforms.register(registry, self.primaries)
        rails.register(registry, self.primaries)

        @kopf.on.login(registry=registry)
        def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
            return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

        await kopf.operator(
            registry=registry,
            settings=settings,
            clusterwide=True,
            standalone=True,
            stop_flag=stop,
            identity=Identity(
                self.leadership.identity
            ),  # kopf's own guess needs a user name, which a pod has not
        )

    async def _lead(self) -> None:
        await self.children.synced()
        self._synced = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self.leadership.run())
            await self.leadership.acquired.wait()
            group.create_task(self._serve())

    async def _serve(self) -> None:
        """The leader's own work."""
        async with asyncio.TaskGroup() as group:
            await self.monitor.list()  # what the watch brings first may be a service without its platform
            await self._settle(PLATFORM_KEY)
            group.create_task(self.monitor.run())
            for _ in range(self.settings.workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._settle(key)
            finally:
                self.queue.done(key)

    async def _settle(self, key: Key) -> None:
        """One reconcile, and what the queue is told afterwards. Only a lost Lease ends the worker."""
        with metrics.RECONCILE_SECONDS.time(), noted() as made:
            outcome, word = await self._reconcile(key)
        if made:
            self.backends.look_again(key)
        metrics.RECONCILES.labels(key.kind, word).inc()
        if outcome.retry:
            self.queue.failed(key)
            return
        self.queue.succeeded(key)
        if outcome.again is not None:
            self.queue.add_after(key, outcome.again)

    async def _reconcile(self, key: Key) -> tuple[Outcome, str]:
        try:
            async with asyncio.timeout(RECONCILE_SECONDS):
                if key == PLATFORM_KEY:
                    return await self.platforms.reconcile(), "done"
                if key.kind == RAIL.name:
                    return await self.rails.reconcile(key), "done"
                return await self.services.reconcile(key), "done"
        except LeadershipLost:
            raise
        except (Temporary, TimeoutError) as error:
            log.warning("%s: %s", key, error or "took too long")
            return Outcome(retry=True), "retry"
        except ApiError as error:
            if not error.conflict:  # a conflict only says that somebody was faster
                log.warning("%s: %s", key, error)
            return Outcome(retry=True), "retry"
        except Exception:
            log.exception("%s: reconcile failed", key)
            return Outcome(retry=True), "crash"

    def _child_changed(self, key: Key) -> None:
        if key in self.primaries.objects:
            self.queue.add(key)

    def _ill(self) -> str:
        silence = self.children.silence()
        if silence > SILENT_SECONDS:
            return f"a watch has heard nothing for {silence:.0f} s"
        if self.primaries.missed():
            return "the watch of resources no longer delivers what lists show"
        return ""

    def _unready(self) -> str:
        return "" if self._synced else "the caches are not filled yet"

    def _scraped(self) -> None:
        metrics.WATCH_AGE.set(self.children.silence())


def run() -> int:
    """Process entry; a lost Lease ends the process, so that it begins again with nothing in hand."""
    settings = Settings()
    logs.configure(settings.log_level)
    lost = False
    try:
        asyncio.run(Operator(settings).run())
    except* LeadershipLost as group:
        lost = True
        log.error("stopping: %s", group.exceptions[0])
    return int(lost)
