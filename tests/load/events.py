"""Events per second from a committed outbox to a committed effect, beside bare aiokafka moving the same messages.

Both sides run in one process with uvloop, against the same two throwaway servers, one after the other. Ours pays for
what bare Kafka does not give: reading and marking the outbox, and an inbox that makes the effect happen once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import uvloop
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr
from sqlalchemy import text

from suuupra import kafka, outbox
from suuupra.consuming import Consumer
from suuupra.db import Database, Transaction
from suuupra.events import Meta
from suuupra.inbox import on, on_batch
from suuupra.migrations import Schema
from suuupra.relay import Relay
from suuupra.running import Runnable
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until
from suuupra.tests import data
from suuupra.tests.data.ledger import Counted
from tests.load.report import Figure, over, percentile

EVENTS: Final = 50_000
AGGREGATES: Final = 5_000
PARTITIONS: Final = 6
SINGLES: Final = 200
"""Use cases of one event each, for the latency."""


_INBOX: Final = "one core; the inbox writes two more rows and reads nine headers per event"

_EFFECT: Final = text("""
INSERT INTO effect (id, aggregate_id, number)
SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS t (id uuid, aggregate_id text, number integer)
""")


@dataclass(frozen=True)
class Settings:
    """What the relay and the consumer read."""

    name: str
    kafka_bootstrap: str
    database_url: SecretStr


@dataclass(frozen=True)
class Bench:
    """The servers and what runs against them."""

    settings: Settings
    database: Database
    topics: Topics


def measure() -> Sequence[Figure]:
    """Start the servers, measure, remove them."""
    return uvloop.run(_measure())


async def _measure() -> Sequence[Figure]:
    async with _bench() as bench:
        await bench.topics.create(Counted.type, partitions=PARTITIONS)
        await bench.topics.create("bare", partitions=PARTITIONS)
        bare_out = await _timed(_bare_produce(bench))
        bare_in = await _bare_consume(bench)
        bare_effect = await _bare_consume(bench, partial(_insert, bench.database))
        await _fill(bench)
        ours_out = await _timed(_relay(bench))
        ours_in = await _consume(bench)
        latencies = await _latencies(bench)
    return [
        _rate(
            "outbox → Kafka, acknowledged and marked",
            ours_out,
            bare_out,
            "PostgreSQL and the relay's one core",
        ),
        _rate(
            "Kafka → effect, once", ours_in, bare_effect, _INBOX, "aiokafka + the same INSERT, at least once"
        ),
        _rate("outbox → effect, in turn", ours_out + ours_in, bare_out + bare_in, "the two above"),
        _latency(latencies),
    ]


def _rate(name: str, ours: float, bare: float, bound: str, peer: str = "bare aiokafka") -> Figure:
    ours_rate, bare_rate = EVENTS / ours, EVENTS / bare
    return Figure(
        name,
        f"{ours_rate:,.0f} events/s",
        f"{peer} {bare_rate:,.0f}/s",
        over(ours_rate, bare_rate),
        bound,
    )


def _latency(samples: Sequence[float]) -> Figure:
    half, most = percentile(samples, 0.5) * 1000, percentile(samples, 0.99) * 1000
    return Figure(
        "commit → effect, one event at a time",
        f"p50 {half:.1f} ms, p99 {most:.1f} ms",
        "a poll of 1 s: p50 500 ms",
        "—",
        "NOTIFY, one produce, one fetch, two commits",
    )


@asynccontextmanager
async def _bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        postgres, broker = PostgresServer.start(), None
        stack.callback(postgres.stop)
        broker = KafkaServer.start()
        stack.callback(broker.container.remove)
        schema = Schema(Path(data.__path__[0]) / "ledger" / "versions")
        url = postgres.url(postgres.create(schema))
        database = Database(url, application="bench", pool_size=PARTITIONS)
        stack.push_async_callback(database.close)
        topics = await stack.enter_async_context(Topics(broker.bootstrap))
        yield Bench(Settings(f"bench-{uuid4().hex[:6]}", broker.bootstrap, SecretStr(url)), database, topics)


async def _timed(work: Awaitable[Any]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def _bare_produce(bench: Bench) -> None:
    headers = [
        (f"ce_{name}", b"x" * 20) for name in ("id", "type", "source", "subject", "time", "sequence", "after")
    ]
    async with kafka.producer(bench.settings, "bare") as producer:
        sent = [
            await producer.send(
                "bare", b'{"number":1}', key=b"aggregate-%d" % (n % AGGREGATES), headers=headers
            )
            for n in range(EVENTS)
        ]
        await asyncio.gather(*sent)


async def _bare_consume(
    bench: Bench, effect: Callable[[Sequence[Any]], Awaitable[None]] | None = None
) -> float:
    """Seconds from the first batch on: joining, on both sides, is not counted."""
    reader = AIOKafkaConsumer(
        "bare", bootstrap_servers=bench.settings.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await reader.start()
    started, count = 0.0, 0
    while count < EVENTS:
        batches = await reader.getmany(timeout_ms=1000, max_records=500)
        started = started or time.perf_counter()
        for records in batches.values():
            count += len(records)
            if effect is not None:
                await effect(records)
    await reader.stop()
    return time.perf_counter() - started


async def _insert(database: Database, records: Sequence[Any]) -> None:
    """The effect alone, in one transaction per batch: what a consumer without an inbox would do."""
    read = [(record.key.decode(), Counted.model_validate_json(record.value)) for record in records]
    rows = [{"id": str(uuid4()), "aggregate_id": subject, "number": event.number} for subject, event in read]
    async with database.transaction() as tx:
        await tx.execute(_EFFECT, {"rows": json.dumps(rows)})


async def _fill(bench: Bench) -> None:
    pairs = [(f"aggregate-{number % AGGREGATES}", Counted(number=number)) for number in range(EVENTS)]
    for start in range(0, EVENTS, 1000):
        async with bench.database.transaction() as tx:
            await outbox.append_many(tx, pairs[start : start + 1000])


async def _relay(bench: Bench) -> None:
    async def published() -> bool:
        async with bench.database.reading() as tx:
            return not await tx.scalar(text("SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"))

    await _while_running(Relay(bench.settings), published)


async def _consume(bench: Bench) -> float:
    """Seconds from the first batch on."""
    started, done = 0.0, 0

    async def effect(tx: Transaction, pairs: Sequence[tuple[Counted, Meta]]) -> None:
        nonlocal started, done
        started = started or time.perf_counter()
        rows = [
            {"id": str(meta.id), "aggregate_id": meta.subject, "number": event.number}
            for event, meta in pairs
        ]
        await tx.execute(_EFFECT, {"rows": json.dumps(rows)})
        done += len(pairs)

    async def settled() -> bool:
        return done >= EVENTS

    await _while_running(Consumer(bench.database, bench.settings, [on_batch(Counted, effect)]), settled)
    return time.perf_counter() - started


async def _while_running(runnable: Runnable, finished: Callable[[], Awaitable[bool]]) -> None:
    task = asyncio.create_task(runnable.run())
    await until(finished, limit=170)
    await runnable.stop()
    await task


async def _latencies(bench: Bench) -> list[float]:
    """Seconds from a commit to its committed effect, one use case after the other."""
    arrived: dict[UUID, asyncio.Future[None]] = {}

    async def effect(_tx: Transaction, _event: Counted, meta: Meta) -> None:
        if waiting := arrived.get(UUID(meta.subject)):
            waiting.set_result(None)

    runnables: list[Runnable] = [
        Relay(bench.settings),
        Consumer(bench.database, bench.settings, [on(Counted, effect)]),
    ]
    tasks = [asyncio.create_task(runnable.run()) for runnable in runnables]
    samples = [await _one(bench, arrived) for _ in range(SINGLES + 10)]
    for runnable in runnables:
        await runnable.stop()
    await asyncio.gather(*tasks)
    return samples[10:]  # the first ones join the group


async def _one(bench: Bench, arrived: dict[UUID, asyncio.Future[None]]) -> float:
    aggregate = uuid4()
    arrived[aggregate] = asyncio.get_running_loop().create_future()
    async with bench.database.transaction() as tx:
        await outbox.append(tx, aggregate, Counted(number=1))
    started = time.perf_counter()
    await arrived[aggregate]
    return time.perf_counter() - started
