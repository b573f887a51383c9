"""What wakes a scheduler: work that is due before it would look by itself, and no other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from suuupra.clock import FakeClock
from suuupra.db import DatabaseUnavailable
from suuupra.rounds import Bell


class Notes:
    """A channel's notes, as PostgreSQL would bring them; None is its end."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def bring(self, note: str | None) -> None:
        """Bring it, and let it be heard."""
        self._queue.put_nowait(note)
        for _ in range(5):
            await asyncio.sleep(0)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (note := await self._queue.get()) is not None:
            yield note


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
async def hearing(bell: Bell, notes: Notes) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(bell.hear(aiter(notes)))
    yield task
    task.cancel()
    await asyncio.wait([task])


Hearing = asyncio.Task[None]


def due_in(clock: FakeClock, seconds: float) -> str:
    return (clock.now() + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("note", [0.0, 4.9, None], ids=["now", "before the next look", "of an older process"])
async def test_what_is_due_before_the_next_look_rings(
    bell: Bell, hearing: Hearing, notes: Notes, clock: FakeClock, note: float | None
) -> None:
    bell.quiet()
    waiting = asyncio.create_task(bell.rings_within(5, clock, hearing))
    await clock.until_sleeping()
    await notes.bring("" if note is None else due_in(clock, note))
    await waiting


async def test_what_is_due_later_rings_nobody(
    bell: Bell, hearing: Hearing, notes: Notes, clock: FakeClock
) -> None:
    bell.quiet()
    waiting = asyncio.create_task(bell.rings_within(5, clock, hearing))
    await clock.until_sleeping()
    await notes.bring(due_in(clock, 5))
    await notes.bring(due_in(clock, 900))
    assert not waiting.done()
    clock.advance(5)
    await waiting


async def test_what_came_while_it_was_looked_is_not_missed(
    bell: Bell, hearing: Hearing, notes: Notes, clock: FakeClock
) -> None:
    bell.quiet()
    await notes.bring(due_in(clock, 900))
    await notes.bring(due_in(clock, 1))
    await bell.rings_within(5, clock, hearing)


async def test_what_came_before_it_was_quiet_is_forgotten(
    bell: Bell, hearing: Hearing, notes: Notes, clock: FakeClock
) -> None:
    await notes.bring(due_in(clock, 0))
    bell.quiet()
    waiting = asyncio.create_task(bell.rings_within(5, clock, hearing))
    await clock.until_sleeping()
    assert not waiting.done()
    clock.advance(5)
    await waiting


async def test_a_connection_that_is_lost_is_told(
    bell: Bell, hearing: Hearing, notes: Notes, clock: FakeClock
) -> None:
    bell.quiet()
    waiting = asyncio.create_task(bell.rings_within(5, clock, hearing))
    await clock.until_sleeping()
    await notes.bring(None)
    with pytest.raises(DatabaseUnavailable):
        await waiting
