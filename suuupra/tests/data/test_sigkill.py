"""Whenever a process is killed, every committed event has its effect, and has it once."""

import pytest
from sqlalchemy import text

from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.inbox import on
from suuupra.relay import Relay
from suuupra.testing.kafka import Topics
from suuupra.testing.waiting import until
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.events import (
    all_effects,
    append_to_each,
    assert_once_and_in_order,
    chain,
    effects_reach,
    everything_is_published,
    send,
    unpublished,
)
from suuupra.tests.data.ledger import Counted, record
from suuupra.tests.data.process import killed_itself, started
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration

AGGREGATES = ("a", "b", "c")


async def test_relay_killed_between_commit_and_publish_loses_nothing(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    count = await append_to_each(database, AGGREGATES, 5)
    with started("relay", settings, failpoint="relay.fetched") as relay:
        assert await killed_itself(relay)
    assert await topics.count(Counted.type) == 0
    assert await unpublished(database) == count

    async with running(Relay(settings), Consumer(database, settings, [on(Counted, record)])):
        done = await effects_reach(database, count)
        await everything_is_published(database)
    assert_once_and_in_order(done, AGGREGATES, 5)


async def test_relay_killed_between_publish_and_mark_doubles_nothing(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    count = await append_to_each(database, AGGREGATES, 5)
    with started("relay", settings, failpoint="relay.sent") as relay:
        assert await killed_itself(relay)
    assert await topics.count(Counted.type) == count
    assert await unpublished(database) == count

    async with running(Relay(settings)):
        await everything_is_published(database)
    assert await topics.count(Counted.type) == 2 * count, "the test must have made duplicates"
    async with running(Consumer(database, settings, [on(Counted, record)])):
        await effects_reach(database, count)
        await _a_later_event_has_its_effect(database, settings, count)
    assert_once_and_in_order((await all_effects(database))[:count], AGGREGATES, 5)


async def test_consumer_killed_between_effect_and_offset_commit_doubles_nothing(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    count = await append_to_each(database, AGGREGATES, 5)
    async with running(Relay(settings)):
        await everything_is_published(database)
    with started("consumer", settings, failpoint="consumer.handled") as consumer:
        assert await killed_itself(consumer)
    assert 0 < len(await all_effects(database)) <= count

    async with running(Consumer(database, settings, [on(Counted, record)])):
        await effects_reach(database, count)
        await _a_later_event_has_its_effect(database, settings, count)
    assert_once_and_in_order((await all_effects(database))[:count], AGGREGATES, 5)


async def test_consumer_killed_between_dead_letter_and_inbox_loses_nothing(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    await send(settings.kafka_bootstrap, Counted.type, [{"key": b"a", "value": b"not an event"}])
    with started("consumer", settings, failpoint="consumer.buried") as consumer:
        assert await killed_itself(consumer)
    count = await append_to_each(database, AGGREGATES, 5)
    async with running(Relay(settings), Consumer(database, settings, [on(Counted, record)])):
        done = await effects_reach(database, count)
    assert_once_and_in_order(done, AGGREGATES, 5)
    assert await topics.count(f"{Counted.type}.dlt") >= 1


async def test_consumer_killed_between_effect_and_release_leaves_nothing_parked(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    first, second, third = chain("a", 3)
    with started("consumer", settings, failpoint="consumer.handled:2") as consumer:
        await send(settings.kafka_bootstrap, Counted.type, [third, second])
        await until(lambda: _parked(database))
        await send(settings.kafka_bootstrap, Counted.type, [first])
        assert await killed_itself(consumer)
    assert [number for _, _, number in await all_effects(database)] == [1]
    assert await _parked(database) == 2

    async with running(Consumer(database, settings, [on(Counted, record)])):
        done = await effects_reach(database, 3)
    assert_once_and_in_order(done, ["a"], 3)
    assert await _parked(database) == 0


async def _parked(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM inbox_parked")))


async def _a_later_event_has_its_effect(database: Database, settings: Settings, count: int) -> None:
    """Whatever was delivered before it, duplicates included, is then settled: each partition keeps its order."""
    async with running(Relay(settings)):
        await append_to_each(database, [f"later-{number}" for number in range(50)], 1)
        await effects_reach(database, count + 50)
