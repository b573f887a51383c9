"""Who waits for a payment to change is woken when it does, in whichever process it changed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import stamina

from services.payments.store.payments import CHANGED
from suuupra import logs
from suuupra.db import Database, DatabaseUnavailable
from suuupra.halting import Haltable

_log = logs.get_logger(__name__)


class Feed:
    """Listens to PostgreSQL, on one connection for all. A runnable, and what streams ask."""

    name = "payment-feed"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._halt = Haltable(grace=0)
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._trouble: str | None = "not connected yet"

    async def run(self) -> None:
        """Listen until stop()."""
        await self._halt.run(self._reconnecting())

    async def stop(self) -> None:
        """Stop listening."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why nobody is woken; streams then look by themselves, less often."""
        return self._trouble

    async def open(self) -> None:
        """Nothing: `run` connects."""

    async def close(self) -> None:
        """Nothing."""

    async def check(self) -> None:
        """Never a reason to be unready."""

    @contextmanager
    def watching(self, payment_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the payment has changed, or may have."""
        changed, key = asyncio.Event(), str(payment_id)
        self._waiting.setdefault(key, set()).add(changed)
        try:
            yield changed
        finally:
            others = self._waiting[key]
            others.discard(changed)
            if not others:
                del self._waiting[key]

    async def _reconnecting(self) -> None:
        while True:
            async for attempt in stamina.retry_context(self._passes, attempts=None, timeout=None):
                with attempt:
                    await self._listen()

    def _passes(self, error: Exception) -> bool:
        if not isinstance(error, DatabaseUnavailable):
            return False
        self._trouble = f"{type(error).__name__}: {error}".strip()
        _log.warning("feed interrupted", error=self._trouble)
        return True

    async def _listen(self) -> None:
        async with self._database.listening(CHANGED) as notes:
            self._trouble = None
            self._wake(*self._waiting)  # something may have happened while nobody listened
            async for payment_id in notes:
                self._wake(payment_id)
        raise DatabaseUnavailable("PostgreSQL closed the listening connection.")

    def _wake(self, *payments: str) -> None:
        for key in payments:
            for changed in self._waiting.get(key, ()):
                changed.set()
