"""The work queue: a key waits once, is worked on by one worker at a time, and comes back after a bounded pause.

The semantics of client-go's workqueue: adding a key while it is being worked on runs it once more afterwards.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from suuupra_operator import metrics

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0


class Key(NamedTuple):
    """A resource by name; a cluster-scoped one has no namespace."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass
class Queue:
    """First in, first out, without duplicates."""

    _waiting: deque[Key] = field(default_factory=deque)
    _queued: set[Key] = field(default_factory=set)
    _working: set[Key] = field(default_factory=set)
    _again: set[Key] = field(default_factory=set)
    _failures: dict[Key, int] = field(default_factory=dict)
    _timers: dict[Key, asyncio.TimerHandle] = field(default_factory=dict)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key) -> None:
        """Have the key worked on soon."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.append(key)
            self._ready.set()
        metrics.QUEUE.set(len(self._waiting))

    def add_after(self, key: Key, delay: float) -> None:
        """Have the key worked on in ``delay`` seconds; the earliest of several wins."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and not timer.cancelled() and timer.when() <= loop.time() + delay:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    async def get(self) -> Key:
        """Wait for a key and take it; `done` must follow."""
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        key = self._waiting.popleft()
        self._queued.discard(key)
        self._working.add(key)
        metrics.QUEUE.set(len(self._waiting))
        return key

    def done(self, key: Key) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def succeeded(self, key: Key) -> None:
        """The next failure starts with the shortest pause again."""
        self._failures.pop(key, None)

    def failed(self, key: Key, *, longest: float = LONGEST_PAUSE) -> float:
        """Come back after a pause that doubles with each failure in a row, with jitter; returns it in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(FIRST_PAUSE * 2.0 ** min(failures, 16), longest)
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, guards nothing
        self.add_after(key, pause)
        return pause

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._failures.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
