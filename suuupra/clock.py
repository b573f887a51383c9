"""Time as something that is passed in: UTC, aware, and movable in tests."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What decisions ask about time: of services, of the inbox, of what expires.

    What only measures or paces the machine itself asks the machine: the relay's rounds and its rows' publication,
    reconnecting, the times of log lines, and an event's time where `outbox.append` is not given one.
    """

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, from an arbitrary beginning: for measuring durations."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until a test advances it; sleepers wake when their time has come."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be an aware datetime, for example datetime(2026, 1, 1, tzinfo=UTC)")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._arrivals: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), wake))
        self._announce()
        await wake

    def advance(self, by: timedelta | float) -> None:
        """Move forward by a timedelta or by seconds, waking every sleeper on the way in order."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        if seconds < 0:
            raise ValueError("time does not run backwards: advance by a positive amount")
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            wake = heapq.heappop(self._sleepers)[2]
            if not wake.done():
                wake.set_result(None)

    async def until_sleeping(self, tasks: int = 1) -> None:
        """Return once `tasks` tasks sleep on this clock: what a test awaits before it advances."""
        if self._sleeping() >= tasks:
            return
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals.append((tasks, arrived))
        await arrived

    def _sleeping(self) -> int:
        return sum(1 for _, _, wake in self._sleepers if not wake.done())

    def _announce(self) -> None:
        sleeping = self._sleeping()
        for wanted, arrived in self._arrivals:
            if wanted <= sleeping and not arrived.done():
                arrived.set_result(None)
        self._arrivals = [(wanted, arrived) for wanted, arrived in self._arrivals if not arrived.done()]
