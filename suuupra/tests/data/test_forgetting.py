"""What is no longer needed is deleted as fast as it comes, whatever else lies in the tables, and never too early."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from suuupra import inbox_store, outbox_queue, retention
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.inbox import on
from suuupra.intake import Intake
from suuupra.outbox_queue import opened
from suuupra.testing.kafka import Topics
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.ledger import Counted, record

pytestmark = pytest.mark.integration

_OUTCOMES = text("""
INSERT INTO inbox (id, source, outcome, settled_at)
SELECT gen_random_uuid(), 'a', :outcome, :settled_at FROM generate_series(1, :count)
""")
_EVENTS = text("""
INSERT INTO outbox (id, type, version, aggregate_id, sequence, after, shard, data, occurred_at, published_at)
SELECT gen_random_uuid(), 'kit.counted', 1, 'a', n, '{}', 0, '{}', now(), :published_at FROM generate_series(1, :count) n
""")


async def test_everything_that_is_old_is_forgotten_in_one_go_even_behind_dead_letters(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_store, "PRUNED_AT_ONCE", 10)
    old, young = clock.now() - timedelta(days=40), clock.now() - timedelta(days=30)
    async with database.transaction() as tx:
        for outcome, at, count in (("dead", old, 30), ("done", old, 25), ("done", young, 5)):
            await tx.execute(_OUTCOMES, {"outcome": outcome, "settled_at": at, "count": count})
    intake = Intake(database, [on(Counted, record)], clock)
    assert await intake.prune(timedelta(days=35)) == 25
    async with database.reading() as tx:
        left = await tx.execute(text("SELECT outcome, count(*) FROM inbox GROUP BY outcome ORDER BY outcome"))
        assert [tuple(row) for row in left.all()] == [("dead", 30), ("done", 5)]


async def test_published_events_are_deleted_even_behind_some_that_wait(
    database: Database, settings: Settings, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_queue, "PRUNED_AT_ONCE", 10)
    async with database.transaction() as tx:
        await tx.execute(_EVENTS, {"published_at": None, "count": 30})
        await tx.execute(_EVENTS, {"published_at": clock.now() - timedelta(days=400), "count": 15})
    async with opened(settings.database_url.get_secret_value(), "test") as queue:
        assert [await queue.prune(timedelta(days=7)) for _ in range(3)] == [10, 5, 0]
    async with database.reading() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM outbox")) == 30


@pytest.mark.parametrize("table", ["inbox", "outbox"])
async def test_finding_what_is_old_reads_an_index_and_not_the_table(database: Database, table: str) -> None:
    column, rule = ("settled_at", "outcome = 'done'") if table == "inbox" else ("published_at", "true")
    async with database.transaction() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        found = await tx.execute(
            text(
                f"EXPLAIN SELECT ctid FROM {table} WHERE {rule} AND {column} < now() ORDER BY {column} LIMIT 1"
            )
        )
        plan = "\n".join(line for (line,) in found.all())
    assert "Index Scan" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ({}, retention.LEAST),
        ({"retention.ms": str(90 * 86_400_000), "segment.ms": "86400000"}, timedelta(days=90)),
        ({"retention.ms": "-1"}, None),
    ],
)
async def test_events_are_remembered_longer_than_kafka_keeps_them(
    settings: Settings, topics: Topics, configs: dict[str, str], expected: timedelta | None
) -> None:
    await topics.create(Counted.type, partitions=1, configs=configs)
    found = await retention.memory_for(settings, [Counted.type, "kit.unheard"])
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found >= expected
