"""Rounds of work on what PostgreSQL holds, for tasks that live as long as their process.

    rounds = Rounds("postman", database, clock, channel="mail")
    await rounds.run(once)      # once() does what is due, and says after how many seconds to look again

A round begins when the one before has rested: for as long as it said, or until NOTIFY rings on the channel, or
`ring()` is called. A note that is a time (ISO 8601) says when its work is due: it rings only when that is before the
next look. While PostgreSQL is away, or its schema is older than this process needs, nothing is done, `trouble` says
why, and it is tried again with growing pauses. A round for which no connection was free is no trouble: the next
comes soon. Every other failure is a fault and ends the task.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import stamina

from suuupra import logs
from suuupra.clock import Clock
from suuupra.db import Database, DatabaseBusy, DatabaseUnavailable

BUSY_SECONDS: Final = 0.25
"""Until it is tried again when no connection was free within a second."""
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_log = logs.get_logger(__name__)

Round = Callable[[], Awaitable[float]]
"""Does what is due; seconds of the clock until the next look."""


_Done = TypeVar("_Done")


async def when_free(work: Callable[[], Awaitable[_Done]]) -> _Done:
    """Do `work`, which begins by taking a connection, once one is free, however long others have them all.

    Raises DatabaseUnavailable when PostgreSQL answers nobody any more.
    """
    while True:
        try:
            return await work()
        except DatabaseBusy as error:
            _log.info("postponed", error=error.detail)
        await asyncio.sleep(BUSY_SECONDS)  # not the clock's: a pool is full in real time, as ACQUIRE_LIMIT is


class Bell:
    """Rings when there is something to do before the next look."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._earliest = _NEVER
        """Of what was told since it was quiet."""
        self._look_at = _ALWAYS
        """When is looked next; while nobody waits for it only what is for now rings."""

    def ring(self, due: datetime = _ALWAYS) -> None:
        """There is something to do at `due`; without it, now."""
        self._earliest = min(self._earliest, due)
        if due < self._look_at:
            self._rung.set()

    async def hear(self, notes: AsyncIterator[str]) -> None:
        """Ring for each note, until its connection ends."""
        async for note in notes:
            self.ring(datetime.fromisoformat(note) if note else _ALWAYS)

    def quiet(self) -> None:
        """Forget what rang before what is looked at next."""
        self._rung.clear()
        self._earliest, self._look_at = _NEVER, _ALWAYS

    async def rings_within(self, seconds: float, clock: Clock, hearing: asyncio.Task[None] | None) -> None:
        """Return when it rings or after `seconds`; raise when the connection that rings was lost."""
        self._look_at = clock.now() + timedelta(seconds=seconds)
        if self._earliest < self._look_at:
            return
        waits = [asyncio.ensure_future(self._rung.wait()), asyncio.ensure_future(clock.sleep(seconds))]
        try:
            ends = [hearing] if hearing is not None else []
            await asyncio.wait([*waits, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if hearing is not None and hearing.done():
            hearing.result()
            raise DatabaseUnavailable("PostgreSQL closed the listening connection.")


class Rounds:
    """Woken by `channel`, or without one only by the clock and by `ring`."""

    def __init__(self, name: str, database: Database, clock: Clock, *, channel: str | None = None) -> None:
        self._name = name
        self._database = database
        self._clock = clock
        self._channel = channel
        self._bell = Bell()
        self.trouble: str | None = "not connected yet"
        """None, or why nothing is being done."""

    def ring(self) -> None:
        """Begin the next round at once."""
        self._bell.ring()

    async def run(self, go: Round) -> None:
        """Go on for ever."""
        while True:
            async for attempt in stamina.retry_context(self._passes, attempts=None, timeout=None):
                with attempt:
                    await self._connected(go)

    def _passes(self, error: Exception) -> bool:
        """Whether time will mend it: PostgreSQL is away, or a migration is due."""
        if not isinstance(error, DatabaseUnavailable):
            return False
        self.trouble = f"{type(error).__name__}: {error}".strip()
        _log.warning("interrupted", task=self._name, error=self.trouble)
        return True

    async def _connected(self, go: Round) -> None:
        await self._database.check()
        async with self._hearing() as hearing:
            self.trouble = None
            while True:
                self._bell.quiet()
                await self._bell.rings_within(await when_free(go), self._clock, hearing)

    @asynccontextmanager
    async def _hearing(self) -> AsyncIterator[asyncio.Task[None] | None]:
        """The task that turns notifications into rings; it ends when its connection does."""
        if self._channel is None:
            yield None
            return
        async with self._database.listening(self._channel) as notes:
            hearing = asyncio.create_task(self._bell.hear(notes), name=f"{self._name} bell")
            try:
                yield hearing
            finally:
                hearing.cancel()
                await asyncio.wait([hearing])
