"""What a task does that found no connection free: it comes again soon, and tells nobody of an outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from suuupra import rounds as kit
from suuupra.clock import FakeClock
from suuupra.db import DatabaseBusy, DatabaseUnavailable
from suuupra.rounds import Rounds, when_free


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "BUSY_SECONDS", 0.01)


class Connected:
    """A database as far as rounds know it; counts how often somebody began to listen."""

    def __init__(self) -> None:
        self.checks = self.listened = 0

    async def check(self) -> None:
        self.checks += 1

    @asynccontextmanager
    async def listening(self, _channel: str) -> AsyncIterator[AsyncIterator[str]]:
        self.listened += 1
        yield _silence()


async def _silence() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


class Work:
    """Rounds that fail as they are told, one after the other, and go well after that."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.tries = 0
        self.well = asyncio.Event()

    async def once(self) -> float:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        self.well.set()
        return 3600


def busy() -> DatabaseBusy:
    return DatabaseBusy("Every database connection is in use.")


@pytest.mark.parametrize("channel", [None, "bell"])
async def test_a_round_without_a_connection_is_followed_by_another_on_the_same_line(
    clock: FakeClock, channel: str | None
) -> None:
    database: Any = Connected()
    work, rounds = Work(busy(), busy(), busy()), Rounds("work", database, clock, channel=channel)
    task = asyncio.create_task(rounds.run(work.once))
    await asyncio.wait_for(work.well.wait(), 5)
    assert rounds.trouble is None
    task.cancel()
    assert (work.tries, database.checks, database.listened) == (4, 1, 1 if channel else 0)


async def test_an_outage_still_interrupts_and_is_told(clock: FakeClock) -> None:
    database: Any = Connected()
    work, rounds = Work(DatabaseUnavailable("PostgreSQL cannot be reached.")), Rounds("work", database, clock)
    troubles: list[str | None] = []
    passes = rounds._passes

    def noted(error: Exception) -> bool:
        passed = passes(error)
        troubles.append(rounds.trouble)
        return passed

    rounds._passes = noted  # type: ignore[method-assign]
    task = asyncio.create_task(rounds.run(work.once))
    await asyncio.wait_for(work.well.wait(), 5)
    task.cancel()
    assert (troubles, database.checks) == (["DatabaseUnavailable: PostgreSQL cannot be reached."], 2)


async def test_work_waits_for_a_connection_as_long_as_others_have_them_all() -> None:
    work = Work(*(busy() for _ in range(20)))
    assert await asyncio.wait_for(when_free(work.once), 5) == 3600


async def test_work_that_finds_postgresql_away_says_so() -> None:
    work = Work(DatabaseUnavailable("PostgreSQL cannot be reached."))
    with pytest.raises(DatabaseUnavailable):
        await when_free(work.once)
