"""A local copy of one kind of object: listed once, then followed by watching."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import stamina

from services.api_gateway.cluster.api import Api, Gone, Unreachable
from suuupra import logs
from suuupra.clock import Clock

_log = logs.get_logger(__name__)

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0


class Reflector:
    """Keeps ``objects`` equal to what the API server has under ``path``; calls ``changed`` after every change.

    While the server is away the last known objects stay. ``trouble`` says what is wrong, and ``heard`` when the
    server last said anything (monotonic seconds).
    """

    def __init__(self, api: Api, path: str, clock: Clock, changed: Callable[[], None]) -> None:
        self._api = api
        self._path = path
        self._clock = clock
        self._changed = changed
        self.version = ""
        self.objects: dict[str, dict[str, Any]] = {}
        self.synced = False
        self.trouble: str | None = None
        self.heard = clock.monotonic()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self._patiently(self._list)
            await self._watch()

    async def _watch(self) -> None:
        """Watch on and on, until the server no longer knows the version we have."""
        while True:
            try:
                await self._patiently(self._stream)
            except Gone:
                _log.info("the watch is too old, listing again", path=self._path)
                return

    async def _patiently(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step until the server answers, with growing pauses."""
        attempts = stamina.retry_context(
            on=Unreachable,
            attempts=None,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_FIRST_WAIT,
        )
        async for attempt in attempts:
            with attempt:
                try:
                    await step()
                except Unreachable as error:
                    self.trouble = str(error)
                    raise
                self._hear()

    async def _list(self) -> None:
        listing = await self._api.list(self._path)
        self.version = listing.version
        self.objects = {item["metadata"]["name"]: item for item in listing.items}
        self.synced = True
        self._changed()

    async def _stream(self) -> None:
        """One watch. A failure after progress is not a failed attempt: the next one starts without a pause."""
        progressed = False
        try:
            async for event in self._api.watch(self._path, self.version, self._hear):
                progressed = True
                self._hear()
                self._take(event)
        except Unreachable as error:
            if not progressed:
                raise
            _log.info("the watch broke off", path=self._path, reason=str(error))

    def _take(self, event: dict[str, Any]) -> None:
        found = event["object"]
        self.version = found["metadata"]["resourceVersion"]
        name = found["metadata"].get("name", "")
        match event["type"]:
            case "ADDED" | "MODIFIED":
                self.objects[name] = found
            case "DELETED":
                self.objects.pop(name, None)
            case _:
                return
        self._changed()

    def _hear(self) -> None:
        self.trouble = None
        self.heard = self._clock.monotonic()
