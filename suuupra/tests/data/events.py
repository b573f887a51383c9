"""Appending events, looking at effects, and messages as a relay would send them."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from suuupra import outbox
from suuupra.db import Database, DatabaseUnavailable
from suuupra.events import Event, schema_urn
from suuupra.testing.waiting import until
from suuupra.tests.data.ledger import Counted, effects


async def append(database: Database, aggregate: str, *numbers: int) -> None:
    """One event of the aggregate for each number, in one transaction."""
    async with database.transaction() as tx:
        await outbox.append_many(tx, [(aggregate, Counted(number=number)) for number in numbers])


async def append_to_each(database: Database, aggregates: Sequence[str], events: int) -> int:
    """`events` events for each aggregate, interleaved; how many there are."""
    pairs = [(name, Counted(number=number)) for number in range(1, events + 1) for name in aggregates]
    async with database.transaction() as tx:
        await outbox.append_many(tx, pairs)
    return len(pairs)


async def all_effects(database: Database) -> list[tuple[UUID, str, int]]:
    """Every effect, in order."""
    async with database.reading() as tx:
        return await effects(tx)


async def effects_reach(
    database: Database, count: int, *, limit: float = 60.0
) -> list[tuple[UUID, str, int]]:
    """The effects, when there are at least `count`."""

    async def enough() -> bool:
        try:
            return len(await all_effects(database)) >= count
        except DatabaseUnavailable:  # no connection within a second, on a busy machine: it cannot tell yet
            return False

    await until(enough, limit=limit)
    return await all_effects(database)


async def unpublished(database: Database) -> int:
    """How many events wait in the outbox."""
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM outbox WHERE published_at IS NULL")))


async def everything_is_published(database: Database, *, limit: float = 60.0) -> None:
    """Return when nothing waits in the outbox."""

    async def empty() -> bool:
        return await unpublished(database) == 0

    await until(empty, limit=limit)


def assert_once_and_in_order(
    done: Sequence[tuple[UUID, str, int]], aggregates: Sequence[str], events: int
) -> None:
    """Each of 1…`events` of each aggregate had its effect exactly once, and in order."""
    assert max(Counter(id_ for id_, _, _ in done).values()) == 1
    for name in aggregates:
        assert [number for _, aggregate, number in done if aggregate == name] == list(range(1, events + 1))


async def send(
    bootstrap: str, topic: str, messages: Sequence[dict[str, Any]], *, compression_type: str | None = None
) -> None:
    """Write messages in the given order. Compressed ones may be larger than a broker's limit once unpacked."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", compression_type=compression_type, max_request_size=2**24
    )
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, **message) for message in messages])
    finally:
        await producer.stop()


def message(aggregate: str, sequence: int, *, kind: type[Event] = Counted, **after: int) -> dict[str, Any]:
    """An event as the relay of some service would send it; its number is its sequence."""
    follows = {"kit." + name: last for name, last in after.items()}
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_type": kind.type,
        "ce_source": "/services/other",
        "ce_subject": aggregate,
        "ce_sequence": str(sequence),
        "ce_after": json.dumps(follows),
        "ce_time": "2026-01-01T00:00:00+00:00",
        "ce_dataschema": schema_urn(kind.type, kind.version),
    }
    value = json.dumps({"number": sequence}).encode()
    return {
        "key": aggregate.encode(),
        "value": value,
        "headers": [(k, v.encode()) for k, v in headers.items()],
    }


def chain(aggregate: str, events: int) -> list[dict[str, Any]]:
    """The first events of an aggregate, each following the one before."""
    first = message(aggregate, 1)
    return [first, *(message(aggregate, number, counted=number - 1) for number in range(2, events + 1))]
