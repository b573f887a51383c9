"""Writes Envoy's files and waits until Envoy runs them."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.api_gateway.domain.envoy.clusters import endpoints_file
from services.api_gateway.domain.envoy.config import Config, Resource, cluster_resource
from services.api_gateway.envoy.admin import Admin, AdminUnavailable, Taken

_TAKES_SECONDS: Final = 10.0
_STARTS_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.005


class Rejected(Exception):
    """Envoy refused a configuration; what it ran before goes on. The text is Envoy's reason."""


class NotTaken(Exception):
    """Envoy neither took nor refused a configuration in time: it is busy or stopped, and nothing is wrong with it."""


class Publisher:
    """Keeps Envoy's files equal to a configuration.

    Order matters: a route must never name a cluster Envoy does not know yet. So endpoints come first, then clusters
    (old and new together), then routes, and at last the clusters nobody needs any more go.
    """

    def __init__(self, folder: Path, admin: Admin, reason: Callable[[], str]) -> None:
        self._folder = folder
        self._admin = admin
        self._reason = reason
        self._good: dict[str, Resource] = {}
        self._clusters: dict[str, dict[str, object]] = {}

    def prepare(self, config: Config) -> None:
        """Write everything for an Envoy that is about to start."""
        for name, resource in self._all(config).items():
            self._write(name, resource)

    async def confirm(self, config: Config) -> None:
        """Wait until a started Envoy runs what was prepared and listens. Raises Rejected, or NotTaken.

        A listener first waits for the issuer's keys, or for the attempts to get them to be over.
        """
        expected = self._all(config)
        await self._until_taken(expected, {})
        await self._until_live()
        self._good = expected
        self._clusters = dict(config.clusters)

    async def publish(self, config: Config) -> None:
        """Bring a running Envoy to this configuration.

        Raises:
            Rejected: Envoy refused a part; the files are as they were.
            NotTaken: Envoy gave no answer; the files are as wanted, and the same call tries again.
        """
        await self._push_endpoints(config)
        await self._push({"cds": cluster_resource({**self._clusters, **config.clusters})})
        await self._push({"rds": config.routes, "lds": config.listeners})
        await self._push({"cds": cluster_resource(config.clusters)})
        self._forget(set(self._clusters) - set(config.clusters))
        self._clusters = dict(config.clusters)

    async def _push_endpoints(self, config: Config) -> None:
        """New clusters read their file when they appear, so nothing confirms it before that."""
        named = {endpoints_file(service): resource for service, resource in config.endpoints.items()}
        live = {endpoints_file(service) for service in self._clusters}
        fresh = {name: resource for name, resource in named.items() if name not in live}
        for name, resource in fresh.items():
            self._write(name, resource)
        await self._push({name: resource for name, resource in named.items() if name not in fresh})
        self._good |= fresh

    async def _push(self, wanted: dict[str, Resource]) -> None:
        changed = {name: item for name, item in wanted.items() if self._version(name) != item.version}
        if not changed:
            return
        before = await self._now_taken()
        for name, resource in changed.items():
            self._write(name, resource)
        try:
            await self._until_taken(changed, before)
        except Rejected:
            self._restore(changed)
            raise
        self._good |= changed

    async def _now_taken(self) -> dict[str, Taken]:
        try:
            async with asyncio.timeout(_TAKES_SECONDS):
                return await self._admin.taken()
        except (AdminUnavailable, TimeoutError) as error:
            raise NotTaken(f"a word of what it runs for {_TAKES_SECONDS:g} s") from error

    async def _until_taken(self, wanted: dict[str, Resource], before: dict[str, Taken]) -> None:
        try:
            async with asyncio.timeout(_TAKES_SECONDS):
                while not await self._taken(wanted, before):  # noqa: ASYNC110  another process tells no events
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise NotTaken(f"{', '.join(sorted(wanted))} for {_TAKES_SECONDS:g} s") from None

    async def _until_live(self) -> None:
        try:
            async with asyncio.timeout(_STARTS_SECONDS):
                while not await self._is_live():  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise NotTaken(f"it did not begin to serve in {_STARTS_SECONDS:g} s") from None

    async def _is_live(self) -> bool:
        try:
            return await self._admin.state() == "LIVE"
        except AdminUnavailable:
            return False

    async def _taken(self, wanted: dict[str, Resource], before: dict[str, Taken]) -> bool:
        try:
            now = await self._admin.taken()
        except AdminUnavailable:
            return False
        for name in wanted:
            if now.get(name, Taken()).rejected > before.get(name, Taken()).rejected:
                raise Rejected(self._reason())
        return all(name in now and now[name].version == item.version for name, item in wanted.items())

    def _version(self, name: str) -> str | None:
        return self._good[name].version if name in self._good else None

    def _restore(self, names: dict[str, Resource]) -> None:
        for name in names:
            if name in self._good:
                self._write(name, self._good[name])

    def _forget(self, services: set[str]) -> None:
        for service in services:
            name = endpoints_file(service)
            self._good.pop(name, None)
            (self._folder / f"{name}.json").unlink(missing_ok=True)

    def _all(self, config: Config) -> dict[str, Resource]:
        endpoints = {endpoints_file(service): resource for service, resource in config.endpoints.items()}
        clusters = cluster_resource(config.clusters)
        return {**endpoints, "cds": clusters, "rds": config.routes, "lds": config.listeners}

    def _write(self, name: str, resource: Resource) -> None:
        """Atomically: Envoy sees the old file or the new one, never a half."""
        half = self._folder / f".{name}.writing"
        half.write_text(resource.document())
        os.replace(half, self._folder / f"{name}.json")
