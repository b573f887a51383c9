"""Where the gateway's knowledge comes from."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from services.api_gateway.cluster.api import SILENCE_SECONDS, Api, Place
from services.api_gateway.cluster.reflector import Reflector
from services.api_gateway.domain.resources import snapshot_of
from services.api_gateway.domain.routes import Snapshot
from suuupra.clock import Clock

GROUP: Final = "suuupra.io/v1alpha1"
STALE_SECONDS: Final = 90.0
"""Silence after which what is served is called stale."""


class RouteSource(Protocol):
    """Tells what routes and endpoints there are, again after every change."""

    async def run(self, tell: Callable[[Snapshot], None]) -> None:
        """Call ``tell`` with the current state, then with the newest after each change, until cancelled."""

    def trouble(self) -> str | None:
        """What is wrong with the source, in words; None when it is well."""

    def age(self) -> float:
        """Seconds since the source last heard from its origin."""


class ClusterSource:
    """SuuupraServices and EndpointSlices of one namespace."""

    def __init__(self, place: Callable[[], Place], clock: Clock, silence: float = SILENCE_SECONDS) -> None:
        self._place = place
        self._silence = silence
        self._clock = clock
        self.reflectors: tuple[Reflector, ...] = ()

    async def run(self, tell: Callable[[Snapshot], None]) -> None:
        news = _News(self, tell)
        place = self._place()
        api = Api(place.access, self._silence)
        self.reflectors = tuple(
            Reflector(api, path, self._clock, news.changed) for path in _paths(place.namespace)
        )
        try:
            async with asyncio.TaskGroup() as following:
                for reflector in self.reflectors:
                    following.create_task(reflector.run())
        finally:
            await api.close()

    def snapshot(self) -> Snapshot | None:
        """What is known now; None until both kinds were listed."""
        if not all(reflector.synced for reflector in self.reflectors):
            return None
        services, slices = (tuple(reflector.objects.values()) for reflector in self.reflectors)
        return snapshot_of(services, slices)

    def trouble(self) -> str | None:
        wrong = next((reflector.trouble for reflector in self.reflectors if reflector.trouble), None)
        if wrong is None and self.age() > STALE_SECONDS:
            return f"nothing was heard from the API server for {self.age():.0f} s"
        return wrong

    def age(self) -> float:
        heard = [reflector.heard for reflector in self.reflectors]
        return self._clock.monotonic() - min(heard) if heard else 0.0


def _paths(namespace: str) -> tuple[str, str]:
    """Services first, slices second."""
    return (
        f"/apis/{GROUP}/namespaces/{namespace}/suuupraservices",
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    )


class _News:
    """Passes on only snapshots that differ: a heartbeat in an unrelated field changes nothing."""

    def __init__(self, source: ClusterSource, tell: Callable[[Snapshot], None]) -> None:
        self._source = source
        self._tell = tell
        self._last: Snapshot | None = None

    def changed(self) -> None:
        current = self._source.snapshot()
        if current is not None and current != self._last:
            self._last = current
            self._tell(current)
