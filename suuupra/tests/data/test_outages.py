"""Servers go away and come back under load: nothing committed is lost, nothing happens twice, order holds."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from suuupra.consuming import Consumer
from suuupra.db import Database, DatabaseUnavailable, Transaction
from suuupra.events import Meta
from suuupra.inbox import on
from suuupra.migrations import Schema
from suuupra.relay import Relay
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.events import (
    append,
    append_to_each,
    assert_once_and_in_order,
    effects_reach,
    everything_is_published,
    unpublished,
)
from suuupra.tests.data.ledger import Counted, record
from suuupra.tests.data.process import killed_itself, started
from suuupra.tests.data.running import running, told_to_give_up

pytestmark = pytest.mark.integration


class Load:
    """A use case that runs again and again: event n of one aggregate, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.committed = 0
        self.refused = 0

    async def run(self) -> None:
        while True:
            try:
                await append(self._database, "loaded", self.committed + 1)
            except DatabaseUnavailable:
                self.refused += 1
            else:
                self.committed += 1

    async def reaches(self, count: int) -> None:
        async def reached() -> bool:
            return self.committed >= count

        await until(reached, limit=60)


@asynccontextmanager
async def under_load(database: Database) -> AsyncIterator[Load]:
    load = Load(database)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("seconds", [15.0, pytest.param(60.0, id="a minute", marks=pytest.mark.slow)])
async def test_backlog_survives_kafka_being_away(
    database: Database, settings: Settings, topics: Topics, kafka: KafkaServer, seconds: float
) -> None:
    await topics.create(Counted.type)
    relay = Relay(settings)
    async with running(relay, Consumer(database, settings, [on(Counted, record)])):
        before = await append_to_each(database, ["before"], 5)
        await effects_reach(database, before)
        kafka.pause()
        try:
            away_until = time.monotonic() + seconds
            appended = 0
            while time.monotonic() < away_until:
                appended += 1
                await append(database, "during", appended)
                await asyncio.sleep(0.5)  # the pace of the use cases, not a wait
            assert await unpublished(database) == appended
            assert "Kafka" in str(relay.health())
        finally:
            kafka.resume()
        done = await effects_reach(database, before + appended, limit=90)
        await everything_is_published(database)
        assert relay.health() is None
    assert_once_and_in_order(done, ["during"], appended)


@pytest.fixture
def lone_postgres(containers: None) -> Iterator[PostgresServer]:
    """A server of this test's own: one that restarts takes the databases of all others with it."""
    server = PostgresServer.start()
    try:
        yield server
    finally:
        server.stop()


async def test_postgresql_restarted_under_load_loses_no_committed_event(
    lone_postgres: PostgresServer, schema: Schema, kafka: KafkaServer, topics: Topics
) -> None:
    await topics.create(Counted.type)
    url = lone_postgres.url(lone_postgres.create(schema))
    settings = Settings(f"kit-{uuid4().hex[:8]}", kafka.bootstrap, SecretStr(url))
    database = Database(url, application="test", pool_size=5, schema=schema)
    async with running(Relay(settings), Consumer(database, settings, [on(Counted, record)])):
        async with under_load(database) as load:
            await load.reaches(20)
            await asyncio.to_thread(lone_postgres.restart)
            await load.reaches(load.committed + 20)
        done = await effects_reach(database, load.committed, limit=90)
    await database.close()
    assert load.refused > 0, "the restart must have been noticed"
    assert len({id_ for id_, _, _ in done}) == len(done)
    numbers = [number for _, _, number in done]
    assert numbers == sorted(numbers)
    assert set(numbers) >= set(range(1, load.committed + 1))
    # A commit whose answer was lost did happen; its use case was repeated, and so its number.
    assert len(numbers) - len(set(numbers)) <= load.refused


async def test_a_database_that_hangs_is_refused_within_a_second_and_not_waited_for(
    database: Database, postgres: PostgresServer
) -> None:
    await database.check()
    postgres.pause()
    try:
        started_at = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as refused:
            await database.check()
        waited = time.monotonic() - started_at
    finally:
        postgres.resume()
    assert waited < 1.5
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
    await until_available(database)


async def until_available(database: Database) -> None:
    async def available() -> bool:
        try:
            await database.check()
        except DatabaseUnavailable:
            return False
        return True

    await until(available)


async def test_two_relays_share_the_work_and_keep_order_when_one_is_killed(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    aggregates = [f"aggregate-{number}" for number in range(40)]
    rank = 0
    with started("relay", settings) as steady, started("relay", settings, failpoint="relay.sent:3") as doomed:
        while doomed.poll() is None:
            rank += 1
            await append_to_each(database, aggregates, 1)
        assert await killed_itself(doomed)
        await everything_is_published(database)
        assert steady.poll() is None
    messages = await topics.read(Counted.type, await topics.count(Counted.type))
    assert len(messages) > rank * len(aggregates), "the killed relay must have left duplicates"
    for name in aggregates:
        sequences = [int(dict(one.headers)["ce_sequence"]) for one in messages if one.key == name.encode()]
        assert list(dict.fromkeys(sequences)) == list(range(1, rank + 1))


async def test_three_relays_that_lose_their_leases_in_turn_keep_order_and_lose_nothing(
    database: Database, settings: Settings, topics: Topics, postgres: PostgresServer
) -> None:
    await topics.create(Counted.type)
    aggregates = [f"aggregate-{number}" for number in range(40)]
    connections = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = "
        f"'{settings.name}-relay' AND datname = '{make_url(postgres_url(settings)).database}' ORDER BY backend_start"
    )
    ranks = 0
    async with running(*(Relay(settings) for _ in range(3))):
        for _ in range(5):

            async def all_connected() -> bool:
                return len(postgres.execute("postgres", connections)) == 3

            await until(all_connected)
            # The leases end with the connection, in the middle of whatever its relay is doing.
            (oldest,) = postgres.execute("postgres", connections)[0]
            for _ in range(5):
                ranks += 1
                await append_to_each(database, aggregates, 1)
            postgres.execute("postgres", f"SELECT pg_terminate_backend({oldest})")
        await everything_is_published(database)
    messages = await topics.read(Counted.type, await topics.count(Counted.type))
    for name in aggregates:
        sequences = [int(dict(one.headers)["ce_sequence"]) for one in messages if one.key == name.encode()]
        assert list(dict.fromkeys(sequences)) == list(range(1, ranks + 1))


def postgres_url(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


async def test_m8_a_rebalance_in_the_middle_of_a_batch_commits_what_is_done_and_doubles_nothing(
    database: Database, settings: Settings, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await topics.create(Counted.type, partitions=4)
    given_up = told_to_give_up(monkeypatch)
    aggregates = [f"aggregate-{number}" for number in range(40)]
    in_hand, may_go_on = asyncio.Event(), asyncio.Event()
    seen_by: dict[str, int] = {"first": 0, "second": 0}

    async def slow(tx: Transaction, event: Counted, meta: Meta) -> None:
        in_hand.set()
        await may_go_on.wait()
        seen_by["first"] += 1
        await record(tx, event, meta)

    async def quick(tx: Transaction, event: Counted, meta: Meta) -> None:
        seen_by["second"] += 1
        await record(tx, event, meta)

    count = await append_to_each(database, aggregates, 5)
    async with running(Relay(settings), Consumer(database, settings, [on(Counted, slow)])):
        await in_hand.wait()
        second = Consumer(database, settings, [on(Counted, quick)])
        async with running(second):
            # The second joins: the first is asked to give up its partitions while it holds batches of them.
            await asyncio.wait_for(given_up.wait(), 30)
            may_go_on.set()
            await effects_reach(database, count)
            await append_to_each(database, [f"later-{number}" for number in range(40)], 1)
            done = await effects_reach(database, count + 40)
    assert_once_and_in_order(done[:count], aggregates, 5)
    assert seen_by["first"] > 0
    assert seen_by["second"] > 0
    assert seen_by["first"] + seen_by["second"] == len(done), (
        "what was done was committed before it was handed over"
    )
