"""Asking a task to stop: at once while it waits, after the work in hand otherwise."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Haltable:
    """Runs one coroutine that marks its critical sections with `busy()`.

    `halt` cancels it wherever it only waits; inside a critical section it is left alone until the section ends, but
    for at most `grace` seconds.
    """

    def __init__(self, *, grace: float) -> None:
        self._grace = grace
        self._halting = False
        self._sections = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def halting(self) -> bool:
        """Whether it was asked to stop."""
        return self._halting

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends, fails, or is halted, which is no error."""
        if self._halting:
            work.close()
            return
        self._task = asyncio.ensure_future(work)
        try:
            await self._task
        except asyncio.CancelledError:
            if not (self._halting and self._task.cancelled()):
                self._task.cancel()
                raise

    def halt(self) -> None:
        """Ask it to stop. Safe at any time and more than once."""
        if self._halting:
            return
        self._halting = True
        if self._task is None:
            return
        if self._sections == 0:
            self._task.cancel()
        else:
            asyncio.get_running_loop().call_later(self._grace, self._task.cancel)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A critical section of `work`."""
        self._sections += 1
        try:
            yield
        finally:
            self._sections -= 1
            if self._halting and self._task is not None:
                self._task.cancel()
