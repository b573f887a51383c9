"""A process and its essential tasks: started together, and over together when one of them dies or SIGTERM comes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from suuupra import logs
from suuupra.health import Health, Unwell

CANCEL_SECONDS: Final = 2.0
"""How long a cancelled task gets to clean up; one that refuses to be cancelled does not keep the process alive."""

_log = logs.get_logger(__name__)


class Runnable(Protocol):
    """Something that runs for as long as its process does."""

    @property
    def name(self) -> str:
        """What the log and /readyz call it."""

    async def run(self) -> None:
        """Return only after stop(). Raise when it cannot go on; the process then ends with exit code 1."""

    async def stop(self) -> None:
        """Finish what is in hand, so that run() returns. Safe before run() and more than once."""

    def health(self) -> str | None:
        """None when well, else what is wrong, for /readyz."""


class Signals:
    """SIGTERM asks to stop. SIGINT, or a second signal, asks to stop without waiting for others to notice."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()

    def received(self, number: signal.Signals) -> None:
        if self.stop.is_set() or number == signal.SIGINT:
            self.hurry.set()
        self.stop.set()

    @asynccontextmanager
    async def handled(self) -> AsyncIterator[None]:
        """Listen to the process's signals inside."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.received, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


class Crew:
    """Essential tasks."""

    def __init__(self, runnables: Sequence[Runnable]) -> None:
        self._runnables = runnables
        self._tasks: dict[asyncio.Task[None], Runnable] = {}

    def start(self) -> None:
        for runnable in self._runnables:
            self._tasks[asyncio.create_task(runnable.run(), name=runnable.name)] = runnable

    async def until(self, stop: asyncio.Event) -> bool:
        """Return when `stop` is set, or when a task ended by itself; tell whether all are still alive."""
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        dead = [task for task in self._tasks if task.done()]
        for task in dead:
            _report(task, "an essential task ended; the process ends with it")
        return not dead

    async def stop(self, limit_seconds: float) -> bool:
        """Ask all to finish and wait for at most `limit_seconds`; tell whether all did so without an error."""
        running = {task for task in self._tasks if not task.done()}
        asking = {
            asyncio.create_task(self._tasks[task].stop(), name=f"stop {task.get_name()}") for task in running
        }
        if not running:
            return True
        done, late = await asyncio.wait(running | asking, timeout=limit_seconds)
        await _cancel(late, limit_seconds)
        failed = [task for task in done if _error(task) is not None]
        for task in failed:
            _report(task, "a task failed while stopping")
        return not late and not failed


async def _cancel(late: Collection[asyncio.Task[None]], limit_seconds: float) -> None:
    for task in late:
        _log.error(
            "did not finish in time and is cancelled", task=task.get_name(), limit_seconds=limit_seconds
        )
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=CANCEL_SECONDS)


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _report(task: asyncio.Task[None], what: str) -> None:
    _log.error(what, task=task.get_name(), exc_info=_error(task))


def watch(health: Health, runnables: Sequence[Runnable], *, required: bool = True) -> None:
    """Show the health of each of `runnables`, and make readiness depend on it if `required`."""
    for runnable in runnables:
        health.add(runnable.name, _check_of(runnable), required=required)


def _check_of(runnable: Runnable) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        reason = runnable.health()
        if reason is not None:
            raise Unwell(reason)

    return check


async def run(
    runnables: Sequence[Runnable],
    *,
    inside: AbstractAsyncContextManager[object],
    health: Health,
    signals: Signals,
    limit_seconds: float,
) -> bool:
    """Run all `inside` the given context until a signal or a death; tell whether the end was in order."""
    async with inside:
        crew = Crew(runnables)
        crew.start()
        health.started = True
        alive = await crew.until(signals.stop)
        health.draining = True
        return await crew.stop(limit_seconds) and alive
