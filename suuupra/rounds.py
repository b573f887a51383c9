"""Rounds of work on what PostgreSQL holds, for tasks that live as long as their process.

    rounds = Rounds("postman", database, clock, channel="mail")
    await rounds.run(once)      # once() does what is due, and says after how many seconds to look again

A round begins when the one before has rested: for as long as it said, or until NOTIFY rings on the channel, or
`ring()` is called. While PostgreSQL is away, or its schema is older than this process needs, nothing is done,
`trouble` says why, and it is tried again with growing pauses. Every other failure is a fault and ends the task.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import stamina

from suuupra import logs
from suuupra.clock import Clock
from suuupra.db import Database, DatabaseUnavailable

_log = logs.get_logger(__name__)

Round = Callable[[], Awaitable[float]]
"""Does what is due; seconds of the clock until the next look."""


class Rounds:
    """Woken by `channel`, or without one only by the clock and by `ring`."""

    def __init__(self, name: str, database: Database, clock: Clock, *, channel: str | None = None) -> None:
        self._name = name
        self._database = database
        self._clock = clock
        self._channel = channel
        self._rung = asyncio.Event()
        self.trouble: str | None = "not connected yet"
        """None, or why nothing is being done."""

    def ring(self) -> None:
        """Begin the next round at once."""
        self._rung.set()

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
        async with self._listening() as listening:
            self.trouble = None
            while True:
                self._rung.clear()
                await self._rest(await go(), listening)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Task[None] | None]:
        """The task that turns notifications into rings; it ends when its connection does."""
        if self._channel is None:
            yield None
            return
        async with self._database.listening(self._channel) as notes:
            listening = asyncio.create_task(self._listen(notes), name=f"{self._name} bell")
            try:
                yield listening
            finally:
                listening.cancel()
                await asyncio.wait([listening])

    async def _listen(self, notes: AsyncIterator[str]) -> None:
        async for _ in notes:
            self._rung.set()

    async def _rest(self, seconds: float, listening: asyncio.Task[None] | None) -> None:
        """Return when it rings or after `seconds`; raise when the connection that rings was lost."""
        waits = [
            asyncio.ensure_future(self._rung.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        ]
        ends = [listening] if listening is not None else []
        try:
            await asyncio.wait([*waits, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if listening is not None and listening.done():
            listening.result()
            raise DatabaseUnavailable("PostgreSQL closed the listening connection.")
