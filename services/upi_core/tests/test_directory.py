"""What is known of participants: one reads it for all, and nobody waits for that who need not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from services.upi_core.store import participants
from services.upi_core.store.participants import Participant
from services.upi_core.usecases.directory import KEPT_SECONDS, STALE_SECONDS, Directory
from suuupra import signatures
from suuupra.clock import FakeClock
from suuupra.db import DatabaseBusy

ASKERS = 50


def bank(url: str) -> Participant:
    key = signatures.public_jwks([signatures.generate_key()])
    return Participant("asha", "Asha Bank", "bank", url, key, None, "asha", True, None, None)


class Table:
    """The participants' table: counts who reads, and lets nobody through while `open` is not set."""

    def __init__(self) -> None:
        self.rows = [bank("http://old")]
        self.reads = 0
        self.busy = False
        self.asked, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        self.reads += 1
        if self.busy:
            raise DatabaseBusy("Every database connection is in use.")
        yield

    async def everyone(self, _tx: object) -> Sequence[Participant]:
        found = list(self.rows)
        if not self.open.is_set():
            self.asked.set()
        await self.open.wait()
        return found


@pytest_asyncio.fixture
async def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(participants, "everyone", made.everyone)
    return made


@pytest_asyncio.fixture
async def directory(table: Table, clock: FakeClock) -> AsyncIterator[Directory]:
    made: Any = Directory(table, clock)  # type: ignore[arg-type]
    await made.fresh()
    yield made
    table.open.set()
    await made.close()


async def ask(directory: Directory) -> list[str | None]:
    async with asyncio.timeout(5):
        return await asyncio.gather(*(directory.url("asha") for _ in range(ASKERS)))


async def test_many_who_ask_at_once_are_read_for_once(
    directory: Directory, table: Table, clock: FakeClock
) -> None:
    for seconds in (KEPT_SECONDS, STALE_SECONDS, 3600):
        clock.advance(seconds)
        before = table.reads
        assert await ask(directory) == ["http://old"] * ASKERS
        await directory.close()
        assert table.reads == before + 1


async def test_what_expired_just_now_is_used_while_one_reads(
    directory: Directory, table: Table, clock: FakeClock
) -> None:
    table.rows = [bank("http://new")]
    table.open.clear()
    clock.advance(KEPT_SECONDS)
    assert await ask(directory) == ["http://old"] * ASKERS
    table.open.set()
    await directory.close()
    assert await ask(directory) == ["http://new"] * ASKERS
    assert table.reads == 2


async def test_what_is_too_old_is_waited_for(directory: Directory, table: Table, clock: FakeClock) -> None:
    table.rows = [bank("http://new")]
    table.open.clear()
    clock.advance(STALE_SECONDS)
    asked = asyncio.create_task(ask(directory))
    await table.asked.wait()
    assert not asked.done()
    assert directory.participant("asha") is not None, "inside a transaction nobody waits"
    table.open.set()
    assert await asked == ["http://new"] * ASKERS


async def change_while_one_reads(directory: Directory, table: Table, clock: FakeClock) -> None:
    """The reading has not seen the change, and goes on when the loop turns."""
    table.open.clear()
    clock.advance(KEPT_SECONDS)
    await directory.fresh()
    await table.asked.wait()
    table.rows = [bank("http://new")]
    directory.drop()
    table.open.set()


async def test_a_change_is_seen_by_whoever_asks_after_it_also_when_one_was_reading(
    directory: Directory, table: Table, clock: FakeClock
) -> None:
    await change_while_one_reads(directory, table, clock)
    assert await directory.url("asha") == "http://new"


async def test_who_asks_in_the_very_moment_in_which_a_reading_ends_that_saw_no_change_is_read_for_anew(
    directory: Directory, table: Table, clock: FakeClock
) -> None:
    await change_while_one_reads(directory, table, clock)
    # Its turn comes after the reading's last and before that of who is told of the reading's end.
    asked = asyncio.create_task(directory.url("asha"))
    assert await asyncio.wait_for(asked, 5) == "http://new"
    assert table.reads == 3


async def test_a_reading_that_finds_no_connection_is_no_trouble_while_what_is_known_is_not_too_old(
    directory: Directory, table: Table, clock: FakeClock
) -> None:
    table.busy = True
    clock.advance(KEPT_SECONDS)
    assert await directory.url("asha") == "http://old"
    await directory.close()
    clock.advance(STALE_SECONDS - KEPT_SECONDS)
    with pytest.raises(DatabaseBusy):
        await directory.url("asha")
    table.busy = False
    assert await directory.url("asha") == "http://old"


async def test_who_has_left_is_known_no_more(directory: Directory, table: Table) -> None:
    table.rows = []
    directory.drop()
    assert await directory.url("asha") is None
    assert directory.keys("asha") == {}
    assert directory.bank_of("asha") is None
