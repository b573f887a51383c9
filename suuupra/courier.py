"""Sends what the database says is to be sent, when no transaction is open: messages, mails, webhooks.

Each letter is claimed in a transaction (and is then ours until a lease ends), sent without one, and settled in
another. A process that dies in between leaves it claimed; after the lease another one sends it again. So everything
is sent at least once, under an id that the receiver knows repetitions by. What came of a letter waits for a connection
for as long as others have them all: to send it again would be more work for the same pool.

What is to be sent, how, and what comes of it is said by a `Post`; suuupra.messages has one for signed messages.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from suuupra import failpoints, logs
from suuupra.clock import Clock
from suuupra.db import Database, DatabaseUnavailable, Transaction
from suuupra.halting import Haltable
from suuupra.rounds import Rounds, when_free

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
    def channel(self) -> str | None:
        """Where NOTIFY says that there is a new one; None: whoever makes one submits it."""

    async def claim(self, tx: Transaction, now: datetime, limit: int) -> Sequence[Letter]:
        """Those that are due; they are ours for a while."""

    async def next_due(self, tx: Transaction) -> datetime | None:
        """When the next one is due."""

    async def deliver(self, letter: Letter) -> Result:
        """Send it. No transaction is open. Says in its result what went wrong, and raises nothing."""

    async def settle(self, database: Database, letter: Letter, result: Result, now: datetime) -> bool:
        """Record what came of it; whether it is to be sent again at another time than the lease's end.

        Raises DatabaseUnavailable: it is then sent again when the lease ends. Called again after DatabaseBusy.
        """


class Courier(Generic[Letter, Result]):
    """Delivers one kind of letters until it is stopped. Several processes share the work."""

    def __init__(
        self,
        database: Database,
        post: Post[Letter, Result],
        clock: Clock,
        *,
        parallel: int = PARALLEL,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.name = f"courier-{post.name}"
        self._database = database
        self._post = post
        self._clock = clock
        self._parallel = parallel
        self._poll_seconds = poll_seconds
        self._slots = asyncio.Semaphore(parallel)
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._running: dict[asyncio.Task[None], Letter] = {}
        self._claimed: set[asyncio.Task[None]] = set()
        """Those of them that were found in the database, where they wait to be sent (again)."""
        self._rounds = Rounds(self.name, database, clock, channel=post.channel)
        self.waited_for = asyncio.Event()
        """Somebody waits until all is settled: a post that gathers what it notes does so no longer."""

    async def run(self) -> None:
        """Deliver until stop()."""
        await self._halt.run(self._rounds.run(self._round))
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE_SECONDS)

    async def stop(self) -> None:
        """Finish what is on its way."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why nothing is being delivered."""
        return self._rounds.trouble

    @property
    def in_hand(self) -> int:
        """How many letters are on their way, or waiting for their turn."""
        return len(self._running)

    @property
    def new_in_hand(self) -> int:
        """How many of them were submitted: what this process begins now, not what it tries again."""
        return len(self._running) - len(self._claimed)

    def letters(self) -> Collection[Letter]:
        """Those in hand."""
        return self._running.values()

    def submit(self, letter: Letter) -> asyncio.Task[None]:
        """Deliver at once what this process has claimed already, by making it."""
        task = asyncio.get_running_loop().create_task(self._deliver(letter), name=f"{self.name} letter")
        self._running[task] = letter
        task.add_done_callback(self._delivered)
        return task

    async def deliver_due(self) -> int:
        """Claim and deliver all that is due now, and return how many; what `run` does, and tests."""
        count = 0
        while letters := await when_free(lambda: self._claim(self._parallel)):
            for letter in letters:
                self._claimed.add(self.submit(letter))
            await self.settled()
            count += len(letters)
        return count

    async def settled(self) -> None:
        """Wait until nothing is in hand."""
        self.waited_for.set()
        while self._running:
            await asyncio.wait(set(self._running))
        self.waited_for.clear()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        if len(self._running) >= self._parallel:
            self._rounds.ring()
        self._running.pop(task, None)
        self._claimed.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a letter could not be handled", courier=self.name, exc_info=task.exception())

    async def _round(self) -> float:
        free = self._parallel - len(self._running)
        for letter in await self._claim(free) if free > 0 else ():
            self._claimed.add(self.submit(letter))
        return BUSY_SECONDS if len(self._running) >= self._parallel else await self._pause()

    async def _claim(self, limit: int) -> Sequence[Letter]:
        async with self._database.transaction() as tx:
            return await self._post.claim(tx, self._clock.now(), limit)

    async def _pause(self) -> float:
        async with self._database.reading() as tx:
            due = await self._post.next_due(tx)
        wait = self._poll_seconds if due is None else (due - self._clock.now()).total_seconds()
        return min(max(wait, 0.01), self._poll_seconds)

    async def _deliver(self, letter: Letter) -> None:
        """Send and settle. Whatever fails in between is done again when the lease ends."""
        async with self._slots:
            result = await self._post.deliver(letter)
        failpoints.hit("courier.sent")
        try:
            if await when_free(lambda: self._settled(letter, result)):
                self._rounds.ring()
        except DatabaseUnavailable as error:
            _log.warning("what came of a letter could not be noted", courier=self.name, error=str(error))

    async def _settled(self, letter: Letter, result: Result) -> bool:
        return await self._post.settle(self._database, letter, result, self._clock.now())
