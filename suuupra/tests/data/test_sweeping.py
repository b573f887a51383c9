"""What is over is deleted by age, in bounded steps, and nobody waits for it."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from suuupra import schedule, sweeping
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.schedule import Scheduler
from suuupra.sweeping import Swept
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration
AGE = timedelta(days=45)
OLD = Swept("old_letter", "sent_at", "t.done")


class _Operations:
    """alembic's op, as far as create_table uses it."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server, self._database = server, database

    def execute(self, sqltext: str) -> None:
        self._server.execute(self._database, f"SET ROLE service_owner; {sqltext}")


@pytest.fixture
async def letters(database: Database, postgres: PostgresServer, database_name: str) -> Database:
    """With a table of letters, and the schedule's."""
    operations = _Operations(postgres, database_name)
    schedule.create_table(operations)
    operations.execute("CREATE TABLE old_letter (id integer, sent_at timestamptz, done boolean)")
    return database


async def write(database: Database, clock: FakeClock, count: int, *, days: float, done: bool = True) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            text("INSERT INTO old_letter SELECT n, :at, :done FROM generate_series(1, :count) n"),
            {"at": clock.now() - timedelta(days=days), "done": done, "count": count},
        )


async def left(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM old_letter")) or 0)


async def test_only_what_is_over_and_older_than_its_age_goes(letters: Database, clock: FakeClock) -> None:
    await write(letters, clock, 3, days=46)
    await write(letters, clock, 2, days=44.9)
    await write(letters, clock, 1, days=46, done=False)
    async with letters.transaction() as tx:
        await tx.execute(text("INSERT INTO old_letter VALUES (9, NULL, true)"))
        assert await sweeping.delete(tx, OLD, clock.now() - AGE) == 3
    assert await left(letters) == 4


async def test_a_locked_row_is_left_for_the_next_sweep(letters: Database, clock: FakeClock) -> None:
    await write(letters, clock, 2, days=46)
    async with letters.transaction() as holder, letters.transaction() as tx:
        await holder.execute(text("SELECT FROM old_letter WHERE id = 1 FOR UPDATE"))
        assert await sweeping.delete(tx, OLD, clock.now() - AGE) == 1


async def test_a_sweep_comes_again_soon_while_there_is_more(letters: Database, clock: FakeClock) -> None:
    await write(letters, clock, sweeping.BATCH + 1, days=46)
    async with letters.transaction() as tx:
        await tx.execute(text(sweeping.BEGIN))
        await tx.execute(text("UPDATE scheduled SET next_at = :now"), {"now": clock.now()})
    scheduler = Scheduler(letters, {sweeping.KIND: sweeping.handler({OLD: AGE}, clock)}, clock, parallel=1)
    assert await scheduler.handle_due() == 1
    assert await left(letters) == 1
    clock.advance(sweeping.SOON)
    assert await scheduler.handle_due() == 1
    assert await left(letters) == 0
    clock.advance(sweeping.EVERY - timedelta(seconds=1))
    assert await scheduler.handle_due() == 0
    clock.advance(1)
    assert await scheduler.handle_due() == 1
