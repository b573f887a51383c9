"""Who waits for which user's inbox to change, in one process: one listening connection for all streams."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import stamina

from services.notifications.store import inbox
from suuupra import logs
from suuupra.db import Database, DatabaseUnavailable
from suuupra.halting import Haltable

_log = logs.get_logger(__name__)
_GRACE_SECONDS: Final = 1.0


class Bells:
    """Rings for a user when their inbox changed, in whichever process; and for all when rings may have been missed."""

    name = "bells"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._halt = Haltable(grace=_GRACE_SECONDS)

    @contextmanager
    def waiting(self, user_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the user's bell rings."""
        bell = asyncio.Event()
        self._waiting.setdefault(user_id, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._waiting[user_id]
            bells.discard(bell)
            if not bells:
                del self._waiting[user_id]

    async def run(self) -> None:
        """Listen until stop()."""
        await self._halt.run(self._reconnecting())

    async def stop(self) -> None:
        """Listen no more."""
        self._halt.halt()

    def health(self) -> str | None:
        """Always well enough to serve: streams without a bell still count anew now and then."""
        return None

    async def _reconnecting(self) -> None:
        while True:
            async for attempt in stamina.retry_context(_passes, attempts=None, timeout=None):
                with attempt:
                    await self._listen()

    async def _listen(self) -> None:
        async with self._database.listening(inbox.BELL) as rings:
            self._ring_all()  # what rang while nobody listened
            await self._forward(rings)
        raise DatabaseUnavailable("PostgreSQL closed the listening connection.")

    async def _forward(self, rings: AsyncIterator[str]) -> None:
        async for payload in rings:
            for bell in self._waiting.get(UUID(payload), ()):
                bell.set()

    def _ring_all(self) -> None:
        for bells in self._waiting.values():
            for bell in bells:
                bell.set()


def _passes(error: Exception) -> bool:
    if not isinstance(error, DatabaseUnavailable):
        return False
    _log.warning("bells interrupted", error=f"{type(error).__name__}: {error}")
    return True
