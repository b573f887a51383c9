"""Every connection in use is not PostgreSQL away: a process that works stays ready, and its tasks go on."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import pytest_asyncio
from sqlalchemy import text

from suuupra.clock import SystemClock
from suuupra.db import LATELY, Database, DatabaseBusy, DatabaseUnavailable
from suuupra.health import CHECK_SECONDS, Health
from suuupra.migrations import Schema, SchemaOutdated
from suuupra.rounds import Rounds
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration
SIZE = 2


@pytest_asyncio.fixture
async def narrow(database_url: str, schema: Schema) -> AsyncIterator[Database]:
    """A database with two connections."""
    made = Database(database_url, application="narrow", pool_size=SIZE, schema=schema)
    yield made
    await made.close()


@asynccontextmanager
async def all_in_use(database: Database) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(database.pool_size):
            await stack.enter_async_context(database.transaction())
        yield


@asynccontextmanager
async def crowded(database: Database) -> AsyncIterator[list[float]]:
    """More units of work than connections, each of which ends well as long as PostgreSQL answers; when they did."""
    ended: list[float] = []

    async def work() -> None:
        while True:
            with suppress(DatabaseUnavailable):
                async with database.transaction() as tx:
                    await tx.execute(text("SELECT pg_sleep(0.2)"))
                ended.append(time.monotonic())

    tasks = [asyncio.create_task(work()) for _ in range(3 * database.pool_size)]
    try:
        yield ended
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def the_failure_of(work: Callable[[], Awaitable[None]]) -> DatabaseUnavailable | None:
    try:
        await work()
    except DatabaseUnavailable as error:
        return error
    return None


async def use(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("SELECT 1"))


async def test_a_connection_that_could_not_be_had_in_time_is_told_as_busy(narrow: Database) -> None:
    async with all_in_use(narrow):
        with pytest.raises(DatabaseBusy) as refused:
            await use(narrow)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
    await use(narrow)


async def test_the_check_passes_at_once_while_all_connections_work(narrow: Database) -> None:
    await narrow.check()
    async with crowded(narrow) as ended:
        for _ in range(3):
            before = len(ended)

            async def others_worked(before: int = before) -> bool:
                return len(ended) > before + narrow.pool_size

            await until(others_worked)
            began = time.monotonic()
            assert await asyncio.gather(*(the_failure_of(narrow.check) for _ in range(20))) == [None] * 20
            assert time.monotonic() - began < CHECK_SECONDS / 2


async def test_readiness_stays_while_all_connections_work(narrow: Database) -> None:
    health = Health(SystemClock())
    health.add(narrow.name, narrow.check)
    health.started = True
    await narrow.check()
    async with all_in_use(narrow):
        assert [one.reason for one in await health.readiness()] == [None]


async def test_many_checks_at_the_start_share_the_only_connection(database_url: str, schema: Schema) -> None:
    """A consumer and a scheduler both check before they begin, and neither may wait for the other for ever."""
    single = Database(database_url, application="single", pool_size=1, schema=schema)
    assert await asyncio.gather(*(the_failure_of(single.check) for _ in range(20))) == [None] * 20
    await single.close()


async def test_what_was_never_checked_is_not_taken_for_well(narrow: Database) -> None:
    async with all_in_use(narrow):
        assert isinstance(await the_failure_of(narrow.check), DatabaseBusy)


async def test_a_schema_that_is_behind_stays_so_while_all_connections_are_in_use(
    postgres: PostgresServer, schema: Schema
) -> None:
    name = postgres.create(None)
    behind = Database(postgres.url(name), application="behind", pool_size=SIZE, schema=schema)
    with pytest.raises(SchemaOutdated):
        await behind.check()
    async with all_in_use(behind):
        with pytest.raises(SchemaOutdated):
            await behind.check()
    await behind.close()
    postgres.drop(name)


async def test_the_check_fails_when_postgresql_is_away_also_with_every_connection_in_use(
    narrow: Database, postgres: PostgresServer
) -> None:
    """Nobody was answered for a while, so it is not the others that one waits for."""
    await narrow.check()
    async with all_in_use(narrow):
        postgres.pause()
        paused_at = time.monotonic()
        try:

            async def failed() -> DatabaseUnavailable | None:
                return await the_failure_of(narrow.check)

            assert await until(failed, limit=10)
            assert time.monotonic() - paused_at < LATELY.total_seconds() + 2
            refused = await the_failure_of(lambda: use(narrow))
            assert refused is not None
            assert not isinstance(refused, DatabaseBusy)
        finally:
            postgres.resume()

    async def well() -> bool:
        return await the_failure_of(narrow.check) is None

    await until(well)


async def test_rounds_go_on_on_their_line_once_a_connection_is_free(
    narrow: Database, postgres: PostgresServer, database_name: str
) -> None:
    done, refused, troubles = asyncio.Event(), asyncio.Event(), set[str | None]()
    rounds = Rounds("work", narrow, SystemClock(), channel="work")

    async def once() -> float:
        troubles.add(rounds.trouble)
        try:
            await use(narrow)
        except DatabaseBusy:
            refused.set()
            raise
        done.set()
        return 3600

    task = asyncio.create_task(rounds.run(once))
    await asyncio.wait_for(done.wait(), 10)
    (line,) = lines(postgres, database_name)
    async with all_in_use(narrow):
        done.clear()
        rounds.ring()
        await asyncio.wait_for(refused.wait(), 10)
    await asyncio.wait_for(done.wait(), 10)
    assert (lines(postgres, database_name), troubles) == ([line], {None})
    task.cancel()
    await asyncio.wait([task])


def lines(postgres: PostgresServer, database_name: str) -> list[int]:
    """The servers' processes that somebody listens on."""
    asked = (
        "SELECT pid FROM pg_stat_activity "
        f"WHERE datname = '{database_name}' AND application_name = 'narrow-listen'"
    )
    return [pid for (pid,) in postgres.execute("postgres", asked)]


async def test_what_is_done_at_a_commit_is_not_done_when_it_is_rolled_back(narrow: Database) -> None:
    heard: list[str] = []

    async def use_case(name: str, fails: bool) -> None:
        async with narrow.transaction() as tx:
            tx.when_committed(lambda: heard.append(name))
            assert heard == []
            if fails:
                raise LookupError(name)

    with pytest.raises(LookupError):
        await use_case("rolled back", fails=True)
    await use_case("committed", fails=False)
    assert heard == ["committed"]
