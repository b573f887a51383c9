"""Events are numbered per aggregate, in the transaction that decides them."""

import asyncio
from typing import Any, ClassVar

import pytest
from sqlalchemy import text

from suuupra import outbox
from suuupra.db import Database
from suuupra.events import Event
from suuupra.tests.data.ledger import Closed, Counted

pytestmark = pytest.mark.integration


async def rows(database: Database) -> list[Any]:
    async with database.reading() as tx:
        columns = "aggregate_id, type, sequence, after, data, published_at"
        return list((await tx.execute(text(f"SELECT {columns} FROM outbox ORDER BY position"))).all())


async def test_event_is_there_when_its_transaction_commits(database: Database) -> None:
    async with database.transaction() as tx:
        await outbox.append(tx, "a", Counted(number=7))
    (row,) = await rows(database)
    assert (row.aggregate_id, row.type, row.sequence, row.data) == ("a", "kit.counted", 1, {"number": 7})
    assert row.published_at is None


async def test_event_and_its_number_vanish_with_a_transaction_that_rolls_back(database: Database) -> None:
    async def use_case() -> None:
        async with database.transaction() as tx:
            await outbox.append(tx, "a", Counted(number=1))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await use_case()
    async with database.transaction() as tx:
        await outbox.append(tx, "a", Counted(number=2))
    assert [(row.sequence, row.data["number"]) for row in await rows(database)] == [(1, 2)]


async def test_each_aggregate_counts_for_itself_and_remembers_what_came_before(database: Database) -> None:
    async with database.transaction() as tx:
        await outbox.append(tx, "a", Counted(number=1))
        await outbox.append(tx, "b", Counted(number=1))
        await outbox.append(tx, "a", Closed(number=2))
        await outbox.append(tx, "a", Counted(number=3))
    assert [(row.aggregate_id, row.sequence, row.after) for row in await rows(database)] == [
        ("a", 1, {}),
        ("b", 1, {}),
        ("a", 2, {"kit.counted": 1}),
        ("a", 3, {"kit.counted": 1, "kit.closed": 2}),
    ]


async def test_a_batch_is_numbered_as_if_appended_one_by_one(database: Database) -> None:
    async with database.transaction() as tx:
        await outbox.append(tx, "a", Counted(number=1))
    async with database.transaction() as tx:
        ids = await outbox.append_many(
            tx, [("a", Closed(number=2)), ("b", Counted(number=1)), ("a", Counted(number=3))]
        )
    async with database.transaction() as tx:
        await outbox.append(tx, "a", Counted(number=4))
    assert len(set(ids)) == 3
    assert [(row.aggregate_id, row.sequence, row.after) for row in await rows(database)] == [
        ("a", 1, {}),
        ("a", 2, {"kit.counted": 1}),
        ("b", 1, {}),
        ("a", 3, {"kit.counted": 1, "kit.closed": 2}),
        ("a", 4, {"kit.counted": 3, "kit.closed": 2}),
    ]


async def test_concurrent_use_cases_number_one_aggregate_without_gaps_in_commit_order(
    database: Database,
) -> None:
    async def use_case(number: int) -> None:
        async with database.transaction() as tx:
            await outbox.append(tx, "a", Counted(number=number))

    await asyncio.gather(*(use_case(number) for number in range(20)))
    assert [row.sequence for row in await rows(database)] == list(range(1, 21))


async def test_an_event_that_kafka_would_refuse_is_refused_in_its_use_case(database: Database) -> None:
    class Described(Event):
        type: ClassVar[str] = "kit.described"
        words: str

    async with database.transaction() as tx:
        with pytest.raises(outbox.EventTooLarge, match=r"kit\.described has 600012 bytes, more than 524288"):
            await outbox.append(tx, "a", Described(words="x" * 600_000))
    assert await rows(database) == []
