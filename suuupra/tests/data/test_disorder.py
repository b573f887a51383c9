"""Duplicates, disorder and poison: each event has its effect once, in its place, or is kept for a person to see."""

import asyncio
import random
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import text

from suuupra.consuming import Consumer
from suuupra.db import Database, Transaction
from suuupra.dead_letters import reason
from suuupra.events import Event, Meta
from suuupra.inbox import ATTEMPTS, Retry, on, on_batch
from suuupra.migrations import Schema, SchemaOutdated
from suuupra.objects import ObjectsUnavailable
from suuupra.redrive import redrive
from suuupra.testing.kafka import Topics
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.events import (
    all_effects,
    assert_once_and_in_order,
    chain,
    effects_reach,
    message,
    send,
)
from suuupra.tests.data.ledger import Closed, Counted, record
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_event_twice_and_all_shuffled_has_its_effect_once_and_in_order(
    database: Database, settings: Settings, topics: Topics, seed: int
) -> None:
    await topics.create(Counted.type)
    aggregates = [f"aggregate-{number}" for number in range(20)]
    messages = [one for name in aggregates for one in chain(name, 10)] * 2
    random.Random(seed).shuffle(messages)
    await send(settings.kafka_bootstrap, Counted.type, messages)
    async with running(Consumer(database, settings, [on(Counted, record)])):
        await effects_reach(database, 200)
        await send(
            settings.kafka_bootstrap, Counted.type, [message(f"end-{number}", 1) for number in range(30)]
        )
        done = await effects_reach(database, 230)
    assert_once_and_in_order(done[:200], aggregates, 10)


async def test_an_event_waits_for_one_it_follows_on_another_topic(
    database: Database, settings: Settings, topics: Topics
) -> None:
    for kind in (Counted, Closed):
        await topics.create(kind.type)
    consumer = Consumer(database, settings, [on(Counted, record), on(Closed, record)])
    async with running(consumer):
        await send(
            settings.kafka_bootstrap,
            Closed.type,
            [message("a", 2, kind=Closed, counted=1), message("b", 1, kind=Closed)],
        )
        assert [aggregate for _, aggregate, _ in await effects_reach(database, 1)] == ["b"]
        await send(settings.kafka_bootstrap, Counted.type, [message("a", 1)])
        done = await effects_reach(database, 3)
    assert [number for _, aggregate, number in done if aggregate == "a"] == [1, 2]


async def test_a_gap_in_a_topic_that_is_not_consumed_is_no_gap(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Closed.type)
    await send(settings.kafka_bootstrap, Closed.type, [message("a", 4, kind=Closed, counted=3)])
    async with running(Consumer(database, settings, [on(Closed, record)])):
        assert len(await effects_reach(database, 1)) == 1


async def test_a_gap_that_lasts_longer_than_it_is_awaited_counts_as_filled(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    rest = chain("a", 5)[2:]
    await send(settings.kafka_bootstrap, Counted.type, rest)
    shortly = on(Counted, record, awaited=timedelta(seconds=1))
    async with running(Consumer(database, settings, [shortly])):
        done = await effects_reach(database, 3)
    assert [number for _, _, number in done] == [3, 4, 5]


async def test_one_poison_message_in_a_thousand_stops_nobody_and_is_kept_with_its_cause(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    aggregates = [f"aggregate-{number}" for number in range(100)]
    messages = [one for rank in range(10) for one in (chain(name, 10)[rank] for name in aggregates)]
    poison = messages[500]

    async def suspicious(tx: Transaction, event: Counted, meta: Meta) -> None:
        await record(tx, event, meta)
        if str(meta.id).encode() == dict(poison["headers"])["ce_id"]:
            raise ValueError("this one is poison")

    await send(settings.kafka_bootstrap, Counted.type, messages)
    async with running(Consumer(database, settings, [on(Counted, suspicious)])):
        done = await effects_reach(database, 999, limit=90)
        (letter,) = await topics.read(f"{Counted.type}.dlt", 1)
    assert len({id_ for id_, _, _ in done}) == 999
    why = reason(letter.headers)
    assert why["cause"] == "ValueError: this one is poison"
    assert (why["attempts"], why["topic"], why["partition"], why["offset"]) == ("3", Counted.type, "0", "500")
    assert why["group"] == settings.name
    assert (letter.key, letter.value) == (poison["key"], poison["value"])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"ce_id": None}, "the header ce_id is missing"),
        ({"ce_id": b"seven"}, "not those of an event"),
        (
            {"ce_dataschema": b"urn:suuupra:event:kit.counted:9"},
            r"version 9 is not known here \(known versions: 1\)",
        ),
        ({"ce_type": b"kit.other"}, "ce_dataschema"),
    ],
)
async def test_a_message_that_is_not_a_known_event_becomes_a_dead_letter_that_says_why(
    database: Database, settings: Settings, topics: Topics, change: dict[str, bytes | None], cause: str
) -> None:
    await topics.create(Counted.type, partitions=1)
    wrong = message("a", 1)
    headers = {**dict(wrong["headers"]), **change}
    wrong["headers"] = [(name, value) for name, value in headers.items() if value is not None]
    await send(settings.kafka_bootstrap, Counted.type, [wrong, message("b", 1)])
    async with running(Consumer(database, settings, [on(Counted, record)])):
        assert [aggregate for _, aggregate, _ in await effects_reach(database, 1)] == ["b"]
        (letter,) = await topics.read(f"{Counted.type}.dlt", 1)
    assert re.search(cause, reason(letter.headers)["cause"])


async def test_wrong_data_is_named_by_field_and_its_value_is_not_repeated(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    wrong = {**message("a", 1), "value": b'{"number": "a secret"}'}
    await send(settings.kafka_bootstrap, Counted.type, [wrong])
    async with running(Consumer(database, settings, [on(Counted, record)])):
        (letter,) = await topics.read(f"{Counted.type}.dlt", 1)
    cause = reason(letter.headers)["cause"]
    assert "number: Input should be a valid integer" in cause
    assert "secret" not in cause


async def test_a_row_that_postgresql_quotes_reaches_no_dead_letter(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)

    async def raw(tx: Transaction, _event: Counted, _meta: Meta) -> None:
        try:
            await tx.execute(text("INSERT INTO effect (aggregate_id, number) VALUES ('canary', 7)"))
        except Exception as error:
            raise RuntimeError(str(error)) from error

    await send(settings.kafka_bootstrap, Counted.type, [message("a", 1)])
    async with running(Consumer(database, settings, [on(Counted, raw)])):
        (letter,) = await topics.read(f"{Counted.type}.dlt", 1)
    cause = reason(letter.headers)["cause"]
    assert "violates not-null constraint" in cause
    assert "canary, 7" not in cause


async def test_a_poison_message_too_large_for_a_letter_is_buried_without_its_value_and_stops_nobody(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    large = {**message("a", 1), "value": b"0" * 2_000_000}
    await send(settings.kafka_bootstrap, Counted.type, [large], compression_type="gzip")
    await send(settings.kafka_bootstrap, Counted.type, [message("b", 1)])
    async with running(Consumer(database, settings, [on(Counted, record)])):
        assert [aggregate for _, aggregate, _ in await effects_reach(database, 1)] == ["b"]
        (letter,) = await topics.read(f"{Counted.type}.dlt", 1)
        put_back = await redrive(settings, Counted.type, service=settings.name)
    why = reason(letter.headers)
    assert (letter.value, letter.key) == (b"", b"a")
    assert (why["truncated"], why["topic"], why["offset"]) == ("2000000", Counted.type, "0")
    assert (put_back.found, put_back.sent, put_back.skipped) == (1, 0, 1)


async def test_an_outage_of_what_a_handler_needs_makes_no_dead_letter(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    failures = [
        ConnectionRefusedError("no mail server"),
        ObjectsUnavailable("the store is away"),
        SchemaOutdated("a migration is due"),
        *(ConnectionResetError("again") for _ in range(ATTEMPTS)),
    ]
    attempts: list[int] = []

    async def needy(tx: Transaction, event: Counted, meta: Meta) -> None:
        attempts.append(meta.attempt)
        if failures:
            raise failures.pop(0)
        await record(tx, event, meta)

    await send(settings.kafka_bootstrap, Counted.type, [message("a", 1)])
    async with running(Consumer(database, settings, [on(Counted, needy)])):
        await effects_reach(database, 1)
    assert len(attempts) > ATTEMPTS + 3
    assert await topics.count(f"{Counted.type}.dlt") == 0


async def test_a_consumer_waits_for_its_migration_and_reads_nothing_before(
    settings: Settings, topics: Topics, postgres: PostgresServer, schema: Schema
) -> None:
    await topics.create(Counted.type, partitions=1)
    await send(settings.kafka_bootstrap, Counted.type, [message("a", 1)])
    name = postgres.create(None)
    database = Database(postgres.url(name), application="early", pool_size=5, schema=schema)
    consumer = Consumer(database, settings, [on(Counted, record)])
    try:
        async with running(consumer):

            async def waits() -> bool:
                return "SchemaOutdated" in str(consumer.health())

            await until(waits)
            await asyncio.to_thread(schema.migrate, postgres.owner(name))
            await effects_reach(database, 1)
    finally:
        await database.close()
        postgres.drop(name)
    assert await topics.count(f"{Counted.type}.dlt") == 0


async def test_a_transient_error_is_tried_again_while_the_other_partition_goes_on(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=2)
    attempts: list[int] = []

    async def flaky(tx: Transaction, event: Counted, meta: Meta) -> None:
        if meta.partition == 0 and len(await _settled(database, 1)) < 3:
            attempts.append(meta.attempt)
            raise Retry("not before the others")
        await record(tx, event, meta)

    async def _settled(database: Database, partition: int) -> Sequence[Any]:
        return [
            number for _, aggregate, number in await all_effects(database) if aggregate == f"p{partition}"
        ]

    await send(settings.kafka_bootstrap, Counted.type, [{**message("p0", 1), "partition": 0}])
    async with running(Consumer(database, settings, [on(Counted, flaky)])):

        async def tried_twice() -> bool:
            return len(attempts) >= 2

        await until(tried_twice)
        await send(
            settings.kafka_bootstrap, Counted.type, [{**one, "partition": 1} for one in chain("p1", 3)]
        )
        done = await effects_reach(database, 4)
    assert done[-1][1] == "p0"
    assert attempts == list(range(1, len(attempts) + 1))
    assert await topics.count(f"{Counted.type}.dlt") == 0


async def test_a_batch_handler_gets_many_events_at_once_and_each_has_its_effect_once(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    sizes: list[int] = []

    async def together(tx: Transaction, pairs: Sequence[tuple[Counted, Meta]]) -> None:
        sizes.append(len(pairs))
        for event, meta in pairs:
            await record(tx, event, meta)

    aggregates = [f"aggregate-{number}" for number in range(50)]
    await send(settings.kafka_bootstrap, Counted.type, [one for name in aggregates for one in chain(name, 4)])
    async with running(Consumer(database, settings, [on_batch(Counted, together)])):
        done = await effects_reach(database, 200)
    assert_once_and_in_order(done, aggregates, 4)
    assert max(sizes) > 1


async def test_an_old_version_is_still_read_beside_the_new_one(
    database: Database, settings: Settings, topics: Topics
) -> None:
    class CountedNow(Event):
        type: ClassVar[str] = Counted.type
        version: ClassVar[int] = 2
        number: int
        unit: str

    async def record_new(tx: Transaction, event: CountedNow, meta: Meta) -> None:
        values = {"id": meta.id, "aggregate_id": event.unit, "number": event.number}
        await tx.execute(
            text("INSERT INTO effect (id, aggregate_id, number) VALUES (:id, :aggregate_id, :number)"), values
        )

    await topics.create(Counted.type, partitions=1)
    new = {**message("a", 2, kind=CountedNow, counted=1), "value": b'{"number": 2, "unit": "metres"}'}
    await send(settings.kafka_bootstrap, Counted.type, [message("a", 1), new])
    async with running(Consumer(database, settings, [on(Counted, record), on(CountedNow, record_new)])):
        done = await effects_reach(database, 2)
    assert [(aggregate, number) for _, aggregate, number in done] == [("a", 1), ("metres", 2)]
