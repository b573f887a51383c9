"""What is scheduled is done at its time by the clock, once, with its effect, and holds up nobody."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy import text

from suuupra import schedule
from suuupra.clock import FakeClock
from suuupra.db import Database, Transaction
from suuupra.schedule import Payload, Scheduler
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until
from suuupra.tests.data.running import running
from suuupra.work import assemble

pytestmark = pytest.mark.integration

_MADE: Final = "CREATE TABLE noted (key text NOT NULL, due timestamptz NOT NULL, payload jsonb NOT NULL)"


class _Operations:
    """alembic's op, as far as create_table uses it."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server, self._database = server, database

    def execute(self, sqltext: str) -> None:
        self._server.execute(self._database, f"SET ROLE service_owner; {sqltext}")


@pytest_asyncio.fixture(autouse=True)
async def _tables(postgres: PostgresServer, database_name: str) -> AsyncIterator[None]:
    operations = _Operations(postgres, database_name)
    schedule.create_table(operations)
    operations.execute(_MADE)
    yield


async def record(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
    values = {"key": key, "due": due, "payload": json.dumps(payload)}
    await tx.execute(text("INSERT INTO noted VALUES (:key, :due, CAST(:payload AS jsonb))"), values)


async def put(database: Database, key: str, due: datetime, kind: str = "note", **payload: Any) -> None:
    async with database.transaction() as tx:
        await schedule.put(tx, kind, key, due, payload)


async def effects(database: Database) -> list[str]:
    async with database.reading() as tx:
        return list((await tx.scalars(text("SELECT key FROM noted ORDER BY key"))).all())


async def waiting(database: Database) -> list[Any]:
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT key, due_at, next_at, attempts FROM scheduled ORDER BY id"))
        return list(rows.all())


def after(clock: FakeClock, seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


async def test_m19_it_is_done_when_the_clock_says_so_and_not_a_second_before(
    database: Database, clock: FakeClock
) -> None:
    # The fake clock stands years from PostgreSQL's: whoever asked SQL's now() would do it at once, or never.
    scheduler = Scheduler(database, {"note": record}, clock)
    due = after(clock, 3600)
    await put(database, "a", due, colour="red")
    clock.advance(3599)
    assert await scheduler.handle_due() == 0
    clock.advance(1)
    assert await scheduler.handle_due() == 1
    async with database.reading() as tx:
        (row,) = (await tx.execute(text("SELECT key, due, payload FROM noted"))).all()
    assert row == ("a", due, {"colour": "red"})
    assert await waiting(database) == []


async def test_m19_schedulers_whose_clocks_differ_by_an_hour_do_it_once(database: Database) -> None:
    behind, ahead = FakeClock(), FakeClock()
    ahead.advance(timedelta(hours=1))
    early = Scheduler(database, {"note": record}, ahead)
    late = Scheduler(database, {"note": record}, behind)
    await put(database, "a", after(behind, 1800))
    assert (await late.handle_due(), await early.handle_due()) == (0, 1)
    behind.advance(timedelta(hours=2))
    assert await late.handle_due() == 0
    assert await effects(database) == ["a"]


async def test_what_is_put_again_moves_and_what_is_cancelled_never_happens(
    database: Database, clock: FakeClock
) -> None:
    scheduler = Scheduler(database, {"note": record}, clock)
    await put(database, "moved", after(clock, 10))
    await put(database, "moved", after(clock, 100))
    await put(database, "cancelled", after(clock, 10))
    async with database.transaction() as tx:
        await schedule.cancel(tx, "note", "cancelled")
    clock.advance(99)
    assert await scheduler.handle_due() == 0
    clock.advance(1)
    assert await scheduler.handle_due() == 1
    assert await effects(database) == ["moved"]


async def test_the_same_key_of_two_kinds_is_two_things(database: Database, clock: FakeClock) -> None:
    await put(database, "a", clock.now())
    await put(database, "a", clock.now(), kind="other")
    assert await Scheduler(database, {"note": record}, clock).handle_due() == 1
    assert [row.key for row in await waiting(database)] == ["a"]


async def test_a_handler_may_put_its_own_key_again(database: Database, clock: FakeClock) -> None:
    async def tick(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        await record(tx, key, payload, due)
        if payload["left"]:
            await schedule.put(tx, "tick", key, due + timedelta(seconds=1), {"left": payload["left"] - 1})

    scheduler = Scheduler(database, {"tick": tick}, clock)
    await put(database, "a", clock.now(), kind="tick", left=2)
    for _ in range(4):
        await scheduler.handle_due()
        clock.advance(1)
    assert await effects(database) == ["a", "a", "a"]
    assert await waiting(database) == []


async def test_a_handler_that_fails_leaves_no_effect_is_tried_again_later_and_blocks_nobody(
    database: Database, clock: FakeClock
) -> None:
    broken = {"a"}

    async def fragile(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        await record(tx, key, payload, due)
        if key in broken:
            raise RuntimeError("not now")

    scheduler = Scheduler(database, {"note": fragile}, clock)
    due = clock.now()
    await put(database, "a", due)
    await put(database, "b", due)
    assert await scheduler.handle_due() == 1
    assert await effects(database) == ["b"]
    (row,) = await waiting(database)
    assert (row.due_at, row.attempts) == (due, 1)
    assert timedelta(seconds=0.8) <= row.next_at - due <= timedelta(seconds=1)
    clock.advance(1)
    assert await scheduler.handle_due() == 0
    (row,) = await waiting(database)
    assert timedelta(seconds=1.6) <= row.next_at - clock.now() <= timedelta(seconds=2)
    broken.clear()
    clock.advance(2)
    assert await scheduler.handle_due() == 1
    assert await effects(database) == ["a", "b"]


async def test_m19_a_row_that_came_into_hand_while_it_was_asked_for_is_left_where_it_is(
    database: Database, clock: FakeClock
) -> None:
    # Two drains of one process: one asks, the other's attempt fails and it is about to postpone the row.
    scheduler = Scheduler(database, {"note": record}, clock)
    await put(database, "a", clock.now())
    async with database.transaction() as tx:
        row_id = await tx.scalar(text("SELECT id FROM scheduled"))
        await tx.execute(text("LOCK TABLE scheduled IN ACCESS EXCLUSIVE MODE"))
        asking = asyncio.create_task(scheduler._next())

        async def asked() -> bool:
            blocked = text(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'scheduled'::regclass"
            )
            return bool(await tx.scalar(blocked))

        await until(asked)
        scheduler._in_hand.add(row_id)
    assert await asking is None
    assert [row.key for row in await waiting(database)] == ["a"]
    scheduler._in_hand.clear()
    assert await scheduler.handle_due() == 1
    assert await effects(database) == ["a"]


async def test_a_statement_that_fails_is_told_without_its_values(
    database: Database, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def careless(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        await tx.execute(text("INSERT INTO noted VALUES ('top-secret', NULL, '{}')"))

    await put(database, "a", clock.now())
    assert await Scheduler(database, {"note": careless}, clock).handle_due() == 0
    (row,) = await waiting(database)
    assert row.attempts == 1
    told = capsys.readouterr()
    assert "Failing row" not in told.out + told.err


async def test_several_schedulers_share_the_work_and_do_each_thing_once(
    database: Database, clock: FakeClock
) -> None:
    keys = sorted(f"{number:03}" for number in range(60))
    async with database.transaction() as tx:
        for key in keys:
            await schedule.put(tx, "note", key, clock.now())
    schedulers = [Scheduler(database, {"note": record}, clock, parallel=2) for _ in range(2)]
    counts = await asyncio.gather(*(one.handle_due() for one in schedulers))
    assert sum(counts) == 60
    assert await effects(database) == keys


async def test_a_use_case_may_put_and_cancel_while_the_handler_waits_for_what_it_has_locked(
    database: Database, clock: FakeClock
) -> None:
    claimed = asyncio.Event()
    lock = text("SELECT pg_advisory_xact_lock(1)")

    async def locks(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        claimed.set()
        await tx.execute(lock)
        await record(tx, key, payload, due)

    scheduler = Scheduler(database, {"note": locks}, clock, parallel=1)
    await put(database, "a", clock.now(), turn=1)
    async with database.transaction() as tx:
        await tx.execute(lock)
        handling = asyncio.create_task(scheduler.handle_due())
        await claimed.wait()
        await schedule.put(tx, "note", "a", after(clock, 60), {"turn": 2})
        await schedule.cancel(tx, "note", "b")
    assert await handling == 1
    (row,) = await waiting(database)
    assert row.due_at == after(clock, 60)


async def test_of_what_is_put_under_the_aggregates_own_lock_the_last_stands_alone(
    database: Database, clock: FakeClock
) -> None:
    lock, order = text("SELECT pg_advisory_xact_lock(2)"), []

    async def use_case(turn: int) -> None:
        async with database.transaction() as tx:
            await tx.execute(lock)
            order.append(turn)
            await schedule.put(tx, "note", "a", after(clock, 60 + turn), {"turn": turn}, locked=True)

    await asyncio.gather(*(use_case(turn) for turn in range(5)))
    (row,) = await waiting(database)
    assert row.due_at == after(clock, 60 + order[-1])


async def test_an_attempt_that_failed_gives_way_to_what_was_put_meanwhile(
    database: Database, clock: FakeClock
) -> None:
    started, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        if payload["turn"] == 1:
            started.set()
            await goes_on.wait()
            raise RuntimeError("too late")
        await record(tx, key, payload, due)

    scheduler = Scheduler(database, {"note": slow}, clock, parallel=1)
    await put(database, "a", clock.now(), turn=1)
    handling = asyncio.create_task(scheduler.handle_due())
    await started.wait()
    await put(database, "a", after(clock, 60), turn=2)
    goes_on.set()
    assert await handling == 0
    clock.advance(60)
    assert await scheduler.handle_due() == 1
    assert (await effects(database), await waiting(database)) == (["a"], [])


async def test_it_sleeps_until_something_is_due_and_is_woken_by_what_is_put_meanwhile(
    database: Database, clock: FakeClock
) -> None:
    scheduler = Scheduler(database, {"note": record}, clock)
    await put(database, "later", after(clock, 2))
    async with running(scheduler):
        await clock.until_sleeping()
        assert scheduler.health() is None
        await put(database, "now", clock.now())

        async def done(count: int = 1) -> bool:
            return len(await effects(database)) == count

        await until(done)
        await clock.until_sleeping()
        clock.advance(2)
        await until(lambda: done(2))
    assert await effects(database) == ["later", "now"]


async def test_it_goes_on_after_postgresql_hung_up(
    database: Database, clock: FakeClock, postgres: PostgresServer, database_name: str
) -> None:
    scheduler = Scheduler(database, {"note": record}, clock)
    async with running(scheduler):
        await clock.until_sleeping()
        postgres.execute(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'test-listen%'",
        )

        async def noticed() -> bool:
            return scheduler.health() is not None

        await until(noticed)
        await put(database, "a", clock.now())

        async def done() -> bool:
            return await effects(database) == ["a"]

        await until(done)


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    async with database.transaction() as tx:
        with pytest.raises(ValueError, match="aware"):
            await schedule.put(tx, "note", "a", datetime(2026, 1, 1))


def test_work_runs_the_schedules_that_a_service_declares() -> None:
    from suuupra.tests.data.test_fixtures import Settings

    work = assemble(Settings(), [], publishes=False, schedules={"note": record})
    assert [runnable.name for runnable in work.runnables] == ["scheduler"]
