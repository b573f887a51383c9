"""Whether this process should live, and whether it should get work: what /livez and /readyz say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from suuupra import logs, telemetry
from suuupra.clock import Clock

CHECK_SECONDS = 1.0
"""Longest a check may take, and how long its result is kept: probes must not become load on what they ask after."""

_log = logs.get_logger(__name__)


class Unwell(Exception):
    """A check's own finding, in words that /readyz may show."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check said: `reason` is None when all is well."""

    name: str
    reason: str | None
    required: bool = True
    """Whether a process without it should get no work."""


class Health:
    """The checks of one process, and whether it is draining."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checks: dict[str, Callable[[], Awaitable[None]]] = {}
        self._optional: set[str] = set()
        self._lock = asyncio.Lock()
        self._known: tuple[Result, ...] = ()
        self._known_until = float("-inf")
        self.started = False
        self.draining = False

    def add(self, name: str, check: Callable[[], Awaitable[None]], *, required: bool = True) -> None:
        """Ask `check`, which raises when what it asks after cannot be used; readiness depends on it if `required`."""
        self._checks[name] = check
        if not required:
            self._optional.add(name)

    async def readiness(self) -> tuple[Result, ...]:
        """Every check's result, at most CHECK_SECONDS old."""
        async with self._lock:
            if self._clock.monotonic() >= self._known_until:
                self._known = tuple(await asyncio.gather(*map(self._ask, self._checks)))
                self._known_until = self._clock.monotonic() + CHECK_SECONDS
            return (*self._own(), *self._known)

    def _own(self) -> tuple[Result, ...]:
        if self.draining:
            return (Result("process", "shutting down"),)
        return () if self.started else (Result("process", "starting"),)

    async def _ask(self, name: str) -> Result:
        reason = await self._reason(name)
        telemetry.READY.labels(name).set(reason is None)
        return Result(name, reason, required=name not in self._optional)

    async def _reason(self, name: str) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._checks[name]()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:g} s"
        except Unwell as error:
            return str(error)
        # A check may fail in any way its library knows; each means the same here, and none may fail the probe.
        except Exception as error:  # noqa: BLE001
            _log.warning("a readiness check failed", check=name, error=str(error), kind=type(error).__name__)
            return f"{type(error).__name__}: see the log"
        return None
