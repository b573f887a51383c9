"""Sends what the database says is to be sent, when no transaction is open: to rails, and to webhooks' endpoints.

Each letter is claimed in a transaction (and is then ours until a lease ends), sent without one, and settled in
another. A process that dies in between leaves it claimed; after the lease another one sends it again. So everything
is sent at least once, under an id that the receiver knows repetitions by.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

import stamina

from suuupra import failpoints, logs
from suuupra.clock import Clock
from suuupra.db import Database, DatabaseUnavailable, Transaction
from suuupra.halting import Haltable

PARALLEL: Final = 16
"""Letters on their way at once, of one process and kind."""
POLL_SECONDS: Final = 5.0
"""How often is looked at least, in the clock's seconds: the safety net under NOTIFY."""
BUSY_SECONDS: Final = 0.25
"""How often is looked while there is more than can be sent at once."""
GRACE_SECONDS: Final = 10.0

_log = logs.get_logger(__name__)
Letter = TypeVar("Letter")
Result = TypeVar("Result")


class Post(Protocol[Letter, Result]):
    """A kind of letters."""

    @property
    def name(self) -> str: ...

    @property
    def channel(self) -> str:
        """Where NOTIFY says that there is a new one."""

    async def claim(self, tx: Transaction, now: datetime, limit: int) -> Sequence[Letter]:
        """Those that are due; they are ours for a while."""

    async def next_due(self, tx: Transaction) -> datetime | None:
        """When the next one is due."""

    async def deliver(self, letter: Letter) -> Result:
        """Send it. No transaction is open. Says in its result what went wrong, and raises nothing."""

    async def settle(self, tx: Transaction, letter: Letter, result: Result, now: datetime) -> None:
        """Record what came of it."""


class Courier(Generic[Letter, Result]):
    """Delivers one kind of letters until it is stopped. Several processes share the work."""

    def __init__(
        self, database: Database, post: Post[Letter, Result], clock: Clock, *, parallel: int = PARALLEL
    ) -> None:
        self.name = f"courier-{post.name}"
        self._database = database
        self._post = post
        self._clock = clock
        self._parallel = parallel
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._running: set[asyncio.Task[None]] = set()
        self._rung = asyncio.Event()
        self._trouble: str | None = "not connected yet"

    async def run(self) -> None:
        """Deliver until stop()."""
        await self._halt.run(self._reconnecting())
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE_SECONDS)

    async def stop(self) -> None:
        """Finish what is on its way."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why nothing is being delivered."""
        return self._trouble

    def submit(self, letter: Letter) -> None:
        """Deliver at once what this process has claimed already, by making it."""
        task = asyncio.create_task(self._deliver(letter), name=f"{self.name} letter")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: self._rung.set())

    async def deliver_due(self) -> int:
        """Claim and deliver all that is due now, and return how many; what `run` does, and tests."""
        count = 0
        while letters := await self._claim(self._parallel):
            await asyncio.gather(*(self._deliver(letter) for letter in letters))
            count += len(letters)
        return count

    async def _reconnecting(self) -> None:
        while True:
            async for attempt in stamina.retry_context(self._passes, attempts=None, timeout=None):
                with attempt:
                    await self._connected()

    def _passes(self, error: Exception) -> bool:
        if not isinstance(error, DatabaseUnavailable):
            return False
        self._trouble = f"{type(error).__name__}: {error}".strip()
        _log.warning("courier interrupted", courier=self.name, error=self._trouble)
        return True

    async def _connected(self) -> None:
        await self._database.check()
        async with self._database.listening(self._post.channel) as notes:
            listening = asyncio.create_task(self._listen(notes), name=f"{self.name} bell")
            try:
                self._trouble = None
                while not listening.done():
                    await self._round(listening)
                listening.result()
                raise DatabaseUnavailable("PostgreSQL closed the listening connection.")
            finally:
                listening.cancel()
                await asyncio.wait([listening])

    async def _listen(self, notes: AsyncIterator[str]) -> None:
        async for _ in notes:
            self._rung.set()

    async def _round(self, listening: asyncio.Task[None]) -> None:
        self._rung.clear()
        free = self._parallel - len(self._running)
        for letter in await self._claim(free) if free > 0 else ():
            self.submit(letter)
        pause = BUSY_SECONDS if len(self._running) >= self._parallel else await self._pause()
        await self._rings_within(pause, listening)

    async def _claim(self, limit: int) -> Sequence[Letter]:
        async with self._database.transaction() as tx:
            return await self._post.claim(tx, self._clock.now(), limit)

    async def _pause(self) -> float:
        async with self._database.reading() as tx:
            due = await self._post.next_due(tx)
        wait = POLL_SECONDS if due is None else (due - self._clock.now()).total_seconds()
        return min(max(wait, 0.01), POLL_SECONDS)

    async def _rings_within(self, seconds: float, listening: asyncio.Task[None]) -> None:
        waits = [
            asyncio.ensure_future(self._rung.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait([*waits, listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _deliver(self, letter: Letter) -> None:
        """Send and settle. Whatever fails in between is done again when the lease ends."""
        result = await self._post.deliver(letter)
        failpoints.hit("courier.sent")
        with suppress(DatabaseUnavailable):
            async with self._database.transaction() as tx:
                await self._post.settle(tx, letter, result, self._clock.now())
