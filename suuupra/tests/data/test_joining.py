"""Groups that come late: what retention removed before them is not waited for, and what waits is let go in time."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from suuupra import inbox_store
from suuupra.clock import FakeClock
from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.inbox import GAP, NEEDED, on
from suuupra.inbox_plan import Baseline
from suuupra.testing.kafka import Topics
from suuupra.testing.waiting import until
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.events import chain, effects_reach, message, send
from suuupra.tests.data.ledger import Closed, Counted, record
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration


async def parked(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM inbox_parked")))


async def test_a_group_that_comes_after_retention_does_not_wait_for_what_it_removed(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    aggregates = [f"aggregate-{number}" for number in range(50)]
    chains = [chain(name, 3) for name in aggregates]
    await send(settings.kafka_bootstrap, Counted.type, [one[rank] for rank in range(3) for one in chains])
    await topics.trim(Counted.type, {0: 50})
    # Awaited for a week: nothing here may be owed to waiting.
    consumer = Consumer(database, settings, [on(Counted, record, awaited=NEEDED)])
    async with running(consumer):
        done = await effects_reach(database, 100)
        assert await parked(database) == 0
    for name in aggregates:
        assert [number for _, aggregate, number in done if aggregate == name] == [2, 3]


async def test_a_subscription_that_is_added_later_does_not_hold_up_those_there_were(
    database: Database, settings: Settings, topics: Topics
) -> None:
    for kind in (Counted, Closed):
        await topics.create(kind.type, partitions=2)
    await send(settings.kafka_bootstrap, Counted.type, [message("a", 1)])
    async with running(Consumer(database, settings, [on(Counted, record)])):
        await effects_reach(database, 1)
    closed = {**message("a", 2, kind=Closed, counted=1), "partition": 0}
    await send(settings.kafka_bootstrap, Closed.type, [closed])
    await topics.trim(Closed.type, {0: 1})
    both = Consumer(
        database, settings, [on(Counted, record, awaited=NEEDED), on(Closed, record, awaited=NEEDED)]
    )
    async with running(both):
        # Live, so it may follow something that is on its way; it is let go when the topic is known to be settled.
        third = {**message("a", 3, counted=1, closed=2), "partition": 0}
        third["headers"] = [*third["headers"], ("ce_time", b"2999-01-01T00:00:00+00:00")]
        await send(settings.kafka_bootstrap, Counted.type, [third])
        assert [number for _, _, number in await effects_reach(database, 2)] == [1, 3]
        await send(settings.kafka_bootstrap, Counted.type, [message("a", 4, counted=3, closed=2)])
        assert [number for _, _, number in await effects_reach(database, 3)] == [1, 3, 4]


async def test_a_group_that_is_there_from_the_beginning_remembers_no_baseline_and_waits(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    await send(settings.kafka_bootstrap, Counted.type, [message("a", 2, counted=1)])
    async with running(Consumer(database, settings, [on(Counted, record)])):
        await until(lambda: parked(database))
        await send(settings.kafka_bootstrap, Counted.type, [message("a", 1)])
        done = await effects_reach(database, 2)
    assert [number for _, _, number in done] == [1, 2]
    async with database.reading() as tx:
        found: Baseline = await inbox_store.baseline(tx)
    assert not found.trimmed


async def test_one_sweep_lets_go_of_everything_that_waited_too_long_by_the_injected_clock(
    database: Database,
    settings: Settings,
    topics: Topics,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_store, "OVERDUE_AT_ONCE", 10)
    await topics.create(Counted.type)
    gapped = [message(f"aggregate-{number}", 2, counted=1) for number in range(35)]
    await send(settings.kafka_bootstrap, Counted.type, gapped)
    async with running(Consumer(database, settings, [on(Counted, record)], clock=clock)):

        async def all_parked() -> bool:
            return await parked(database) == 35

        await until(all_parked)
        await clock.until_sleeping(3)  # commits, sweeps and prunes
        clock.advance(GAP)
        await effects_reach(database, 35)
    async with database.reading() as tx:
        assert await tx.scalar(text("SELECT max(settled_at) FROM inbox")) == clock.now()


async def test_what_is_needed_is_awaited_for_a_week_and_what_is_not_for_minutes(
    database: Database, settings: Settings, topics: Topics, clock: FakeClock
) -> None:
    """M8: by the type that is missing, whoever follows it."""
    for kind in (Counted, Closed):
        await topics.create(kind.type)
    late = [message(name, 2, counted=1) for name in ("needed", "never")]
    await send(settings.kafka_bootstrap, Counted.type, [*late, message("not needed", 2, closed=1)])
    subscriptions = [on(Counted, record, awaited=NEEDED), on(Closed, record)]
    async with running(Consumer(database, settings, subscriptions, clock=clock)):

        async def parked_are(expected: int) -> None:
            async def so_many() -> bool:
                return await parked(database) == expected

            await until(so_many)
            await clock.until_sleeping(3)  # commits, sweeps and prunes

        await parked_are(3)
        clock.advance(timedelta(hours=24))
        assert [aggregate for _, aggregate, _ in await effects_reach(database, 1)] == ["not needed"]
        await parked_are(2)
        await send(settings.kafka_bootstrap, Counted.type, [message("needed", 1)])
        done = await effects_reach(database, 3)
        await parked_are(1)
        clock.advance(NEEDED)
        done = await effects_reach(database, 4)
    assert [(aggregate, number) for _, aggregate, number in done] == [
        ("not needed", 2),
        ("needed", 1),
        ("needed", 2),
        ("never", 2),
    ]
