"""Run Envoy: start it, follow the cluster, drain it."""

import asyncio
import json
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from services.api_gateway.cluster.source import RouteSource
from services.api_gateway.domain.envoy.config import bootstrap, build
from services.api_gateway.domain.envoy.options import Options
from services.api_gateway.domain.routes import Snapshot
from services.api_gateway.envoy.admin import Admin, AdminUnavailable
from services.api_gateway.envoy.process import Envoy
from services.api_gateway.envoy.publisher import NotTaken, Publisher
from services.api_gateway.usecases.apply import Applied, Applier, Builder
from services.api_gateway.usecases.metrics import (
    APPLY_SECONDS,
    LATE,
    ROUTES,
    SOURCE_AGE,
    UPDATED,
    under_our_names,
)
from suuupra import logs
from suuupra.clock import Clock

_log = logs.get_logger(__name__)
_AGAIN_SECONDS: Final = 1.0
"""Pause before Envoy is offered again what it did not take: it has had ten seconds already."""


class EnvoyDied(Exception):
    """Envoy ended without being asked to. The process ends with it; Kubernetes starts both again."""


@dataclass(frozen=True)
class Draining:
    """Seconds: until others have noticed, and until requests in flight are given up."""

    notice: float = 5.0
    limit: float = 30.0


@dataclass(frozen=True)
class Status:
    """What the page and readiness tell."""

    applied: Applied
    live: bool = False
    updated: datetime | None = None
    took_seconds: float = 0.0


class Gateway:
    """Envoy and all it needs, as one essential task of the process."""

    name = "envoy"

    def __init__(
        self,
        options: Options,
        source: RouteSource,
        clock: Clock,
        *,
        concurrency: int,
        draining: Draining,
        builder: Builder = build,
    ) -> None:
        self._options = options
        self._source = source
        self._clock = clock
        self._draining = draining
        self._complaint = "Envoy gave no reason"
        self._admin = Admin(options.admin_socket)
        self._publisher = Publisher(options.folder, self._admin, lambda: self._complaint)
        self._applier = Applier(options, self._publisher, builder)
        self._envoy = Envoy(self._bootstrap, concurrency=concurrency, complain=self._complain)
        self._stopping = asyncio.Event()
        self._news = asyncio.Event()
        self._latest: Snapshot | None = None
        self.status = Status(Applied())
        SOURCE_AGE.set_function(source.age)

    @property
    def source(self) -> RouteSource:
        return self._source

    @property
    def envoy_pid(self) -> int | None:
        return self._envoy.pid

    @property
    def _bootstrap(self) -> Path:
        return self._options.folder / "bootstrap.json"

    async def run(self) -> None:
        """Serve until stop(). Raises EnvoyDied in a group when Envoy goes by itself."""
        self._prepare()
        try:
            async with asyncio.TaskGroup() as tasks:
                parts = (self._keep_envoy(), self._source.run(self._tell), self._follow())
                running = [tasks.create_task(part) for part in parts]
                await self._stopping.wait()
                await self._drain()
                for task in reversed(running):
                    task.cancel()
        finally:
            await self._admin.close()

    async def stop(self) -> None:
        self._stopping.set()

    def health(self) -> str | None:
        if self.status.live:
            return None
        return self._source.trouble() or "no configuration is live in Envoy yet"

    async def exposition(self) -> bytes:
        """Envoy's metrics, in Prometheus' text format."""
        return under_our_names((await self._admin.prometheus()).decode()).encode()

    async def state(self) -> str:
        """Envoy's own word for its state, as ``LIVE``."""
        try:
            return await self._admin.state()
        except AdminUnavailable:
            return "AWAY"

    def _prepare(self) -> None:
        self._options.folder.mkdir(parents=True, exist_ok=True)
        self._options.admin_socket.unlink(missing_ok=True)
        self._bootstrap.write_text(json.dumps(bootstrap(self._options)))
        self._publisher.prepare(self._applier.base())

    async def _keep_envoy(self) -> None:
        status = await self._envoy.run()
        raise EnvoyDied(f"Envoy ended by itself with status {status}")

    def _tell(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        self._news.set()

    async def _follow(self) -> None:
        """Apply the newest snapshot, again and again; what came in between is skipped."""
        await self._publisher.confirm(self._applier.base())
        while True:
            await self._news.wait()
            self._news.clear()
            if self._latest is None:
                continue
            try:
                await self._apply(self._latest)
            except NotTaken as late:
                LATE.inc()
                _log.warning("Envoy does not take the configuration, trying again", waited_for=str(late))
                await self._clock.sleep(_AGAIN_SECONDS)
                self._news.set()

    async def _apply(self, snapshot: Snapshot) -> None:
        began = time.perf_counter()
        applied = await self._applier.apply(snapshot)
        took = time.perf_counter() - began
        self.status = Status(applied, live=True, updated=self._clock.now(), took_seconds=took)
        APPLY_SECONDS.observe(took)
        UPDATED.set(self.status.updated.timestamp() if self.status.updated else 0)
        ROUTES.labels("served").set(len(applied.table.served))
        ROUTES.labels("refused").set(len(applied.table.refused))
        ROUTES.labels("held").set(sum(len(held.routes) for held in applied.held.values()))
        _log.info("configuration is live", config=applied.version, milliseconds=round(took * 1000, 1))

    async def _drain(self) -> None:
        """Lose nobody: first be avoided, then refuse new connections, then wait for what is in flight."""
        self.status = replace(self.status, live=False)
        try:
            await self._admin.discourage()
            await self._clock.sleep(self._draining.notice)
            await self._admin.refuse_connections()
            await self._until_idle()
        except AdminUnavailable as error:
            _log.warning("Envoy could not be drained", reason=str(error))

    async def _until_idle(self) -> None:
        deadline = self._clock.monotonic() + self._draining.limit - self._draining.notice
        while (active := await self._admin.in_flight()) > 0:
            if self._clock.monotonic() > deadline:
                _log.warning("requests in flight are given up", requests=active)
                return
            await self._clock.sleep(0.05)

    def _complain(self, reason: str) -> None:
        self._complaint = reason.strip()
