"""Published pages, and the copies a process keeps of those it was asked for within the last second.

A course that everybody opens at once is one statement a second and process instead of one a reader. What is a second
old is younger than what caches on the way may hold (see api/reading). A change made through the same process empties
its copies at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final

from services.content.domain.publishing import Document

FRESH_SECONDS: Final = 1.0
"""How old a copy may be."""
MAX_CHARACTERS: Final = 32_000_000
"""Of all copies; when they are more, all are dropped, and those that are asked for come back within a second."""

Load = Callable[[], Awaitable[Document | None]]


@dataclass(frozen=True, slots=True)
class _Copy:
    document: Document
    until: float


class Copies:
    """What one process keeps. A resource of the application, so that it lives as long."""

    name = "copies"

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Copy] = {}
        self._loading: dict[Hashable, asyncio.Task[Document | None]] = {}
        self._running: set[asyncio.Task[Document | None]] = set()
        self._characters = 0

    async def open(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """End what is still being loaded: it may outlive who asked for it, not the database that it reads."""
        running = tuple(self._running)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def check(self) -> None:
        """Always usable."""

    async def get(self, key: Hashable, now: float, load: Load) -> Document | None:
        """The document under `key`, at most a second old at `now` (monotonic seconds).

        Many who ask for the same at once wait for one `load`; it goes on when those who wait are cancelled.
        """
        copy = self._kept.get(key)
        if copy is not None and copy.until > now:
            return copy.document
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.create_task(self._load(key, now, load))
            self._running.add(loading)
            loading.add_done_callback(self._running.discard)
        return await asyncio.shield(loading)

    def drop(self) -> None:
        """Forget everything: something was published or withdrawn. What is being loaded is not kept either."""
        self._kept.clear()
        self._loading.clear()
        self._characters = 0

    async def _load(self, key: Hashable, now: float, load: Load) -> Document | None:
        this = asyncio.current_task()
        try:
            document = await load()
            if document is not None and self._loading.get(key) is this:
                self._keep(key, _Copy(document, now + FRESH_SECONDS))
            return document
        finally:
            if self._loading.get(key) is this:
                del self._loading[key]

    def _keep(self, key: Hashable, copy: _Copy) -> None:
        replaced = self._kept.get(key)
        self._characters += len(copy.document.json) - (len(replaced.document.json) if replaced else 0)
        if self._characters > MAX_CHARACTERS:
            self._kept.clear()
            self._characters = len(copy.document.json)
        self._kept[key] = copy
