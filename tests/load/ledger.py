"""Postings per second of the ledger, beside what PostgreSQL itself does on the same server in the same run.

Two peers: pgbench's TPC-B (one transaction a transfer, three updates and an insert), and bare set-based batching (the
same entries and balances, 500 payments a statement, one writer; no ids looked up, nothing sealed, no Kafka). A
payment is one journal of three postings: clearing, sales, tax. So a journal, and not a posting, is beside a transaction
of TPC-B. PostgreSQL is durable: fsync and synchronous commits on.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import uvloop
from sqlalchemy import text

from services.ledger.app import create_app
from services.ledger.consumers import consumers
from services.ledger.settings import Settings
from services.ledger.tests.books import LEDGER, body_of, transfer
from services.ledger.tests.events import paid, payment, send, transfers
from services.ledger.usecases import recording, verifying
from services.ledger.usecases.verifying import Outside
from services.payments.contract import (
    PaymentRefunded,
    PaymentSucceeded,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import SystemClock
from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.secrets_store import SecretsStore
from suuupra.settings import example
from suuupra.testing.containers import docker
from suuupra.testing.issuer import Issuer
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.postgres import PASSWORD, PostgresServer
from suuupra.testing.secrets import MemorySecrets
from suuupra.testing.waiting import until
from tests.load.report import Figure, over, percentile

PAYMENTS: Final = 30_000
BATCH: Final = 500
LEGS: Final = 3
PARTITIONS: Final = 6
SPREAD: Final = 100
"""Accounts over which payments are spread, where they are not all of one merchant."""
TPC_B_SECONDS: Final = 8
TPC_B_CLIENTS: Final = (1, 8, 32)
SINGLES: Final = 300

_BARE_TABLES: Final = """
CREATE TABLE bare_account (code text PRIMARY KEY, debits bigint NOT NULL, credits bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE bare_entry (payment uuid NOT NULL, leg smallint NOT NULL, account text NOT NULL, side text NOT NULL,
    amount bigint NOT NULL, PRIMARY KEY (payment, leg));
CREATE TABLE bare_commit (id uuid PRIMARY KEY);
GRANT ALL ON bare_account, bare_entry, bare_commit TO service_app;
"""
_BARE: Final = text("""
WITH added AS (
    INSERT INTO bare_entry
    SELECT * FROM unnest(CAST(:payments AS uuid[]), CAST(:legs AS smallint[]), CAST(:accounts AS text[]),
        CAST(:sides AS text[]), CAST(:amounts AS bigint[]))
    RETURNING account, side, amount),
sums AS (
    SELECT account, coalesce(sum(amount) FILTER (WHERE side = 'debit'), 0) AS debits,
        coalesce(sum(amount) FILTER (WHERE side = 'credit'), 0) AS credits
    FROM added GROUP BY account)
INSERT INTO bare_account AS a SELECT account, debits, credits FROM sums ORDER BY account
ON CONFLICT (code) DO UPDATE SET debits = a.debits + excluded.debits, credits = a.credits + excluded.credits
""")


@dataclass(frozen=True)
class Bench:
    """The servers and what runs against them."""

    postgres: PostgresServer
    name: str
    settings: Settings
    database: Database
    topics: Topics
    issuer: Issuer


def measure() -> Sequence[Figure]:
    """Start the servers, measure, remove them."""
    return uvloop.run(_measure())


async def _measure() -> Sequence[Figure]:
    async with _bench() as bench:
        tpc_b = {clients: _tpc_b(bench, clients) for clients in TPC_B_CLIENTS}
        bare = {many: await _bare(bench, many) for many in (1, SPREAD)}
        hot, spread = await _writer(bench, 1), await _writer(bench, SPREAD)
        kafka = await _consumer(bench)
        commit = await _commits(bench)
        single = await _singles(bench)
        verified = await _verified(bench)
    return figures(tpc_b, bare, hot, spread, kafka, commit, single, verified)


def figures(
    tpc_b: Mapping[int, float],
    bare: Mapping[int, float],
    hot: float,
    spread: float,
    kafka: float,
    commit: Sequence[float],
    single: Sequence[float],
    verified: float,
) -> Sequence[Figure]:
    """Rates are journals a second, told as postings too; a transaction of TPC-B is held against a journal."""
    best, half = max(tpc_b.values()), bare[1] / 2
    curve = ", ".join(f"{rate:,.0f} at {clients}" for clients, rate in tpc_b.items())
    one, many = percentile(single, 0.5) * 1000, percentile(commit, 0.5) * 1000
    batches, goal = f"bare batches {_rate(bare[1])}", f"half of bare batches {_rate(half)}"
    writes = "two indexes more, ids and hashes; half in Python, half in PostgreSQL"
    return [
        _journals("from Kafka, with bounds, ids and chain: journals, of three postings each", kafka, f"TPC-B {best:,.0f} transactions/s, of three balances and a row each (clients: {curve})", kafka / best, "the consumer's one core"),
        _journals("the same, beside bare batching", kafka, batches, kafka / bare[1], "aiokafka, the inbox, SHA-256, JSON"),
        _journals("the same, beside its goal", kafka, goal, kafka / half, "aiokafka, the inbox, SHA-256, JSON"),
        _journals("the writer alone, batches of 500, one merchant", hot, batches, hot / bare[1], writes),
        _journals(f"a hot account: one merchant, beside {SPREAD}, whose rate is the goal", hot, f"spread: {_rate(spread)}", hot / spread, "balances are summed before they are written"),
        Figure("one journal by the API, p50", f"{one:.2f} ms", f"one durable commit {many:.2f} ms", over(one, many), "seven round trips to PostgreSQL, one fsync"),
        Figure("the same, beside its goal", f"{one:.2f} ms", f"three durable commits {3 * many:.2f} ms", over(one, 3 * many), "seven round trips to PostgreSQL, one fsync"),
        Figure("journals verified, each recomputed", f"{verified:,.0f}/s", "—", "—", "one core of Python: JSON and SHA-256"),
    ]  # fmt: skip


def _journals(name: str, journals: float, peer: str, ratio: float, bound: str) -> Figure:
    return Figure(name, _rate(journals), peer, f"{ratio:.2f}×", bound)


def _rate(journals: float) -> str:
    return f"{journals:,.0f} journals/s ({journals * LEGS:,.0f} postings/s)"


@asynccontextmanager
async def _bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        postgres = PostgresServer.start(durable=True)
        stack.callback(postgres.stop)
        broker = KafkaServer.start()
        stack.callback(broker.container.remove)
        name = postgres.create(Schema.of("ledger"))
        postgres.execute(name, _BARE_TABLES)
        issuer = Issuer.new("bench", "suuupra")
        settings = example(
            Settings,
            service="ledger",
            name=f"ledger-{uuid4().hex[:6]}",
            database_url=postgres.url(name),
            kafka_bootstrap=broker.bootstrap,
            issuer=issuer.issuer,
            jwks=json.dumps(issuer.jwks()),
            jwks_url=None,
        )
        database = Database.of(settings)
        stack.push_async_callback(database.close)
        topics = await stack.enter_async_context(Topics(broker.bootstrap))
        yield Bench(postgres, name, settings, database, topics, issuer)


def _tpc_b(bench: Bench, clients: int) -> float:
    """Transactions per second of pgbench's own workload, from inside the server's container."""
    container = bench.postgres.container.id
    environment = ("--env", f"PGPASSWORD={PASSWORD}")
    where = ("-h", "127.0.0.1", "-U", "postgres", "tpcb")
    if clients == TPC_B_CLIENTS[0]:
        bench.postgres.execute("postgres", "CREATE DATABASE tpcb")
        docker("exec", *environment, container, "pgbench", "-i", "-q", "-s", "32", *where)
    asked = ("-c", str(clients), "-j", "2", "-T", str(TPC_B_SECONDS))
    printed = docker("exec", *environment, container, "pgbench", "-n", *asked, *where)
    found = re.search(r"tps = ([0-9.]+)", printed)
    assert found is not None, printed
    return float(found[1])


async def _paced(step: Callable[[int], Any], payments: int) -> float:
    """Payments per second of a step that takes a batch's number."""
    await step(-1)  # the first plans statements and opens accounts
    started = time.perf_counter()
    for number in range(payments // BATCH):
        await step(number)
    return payments / (time.perf_counter() - started)


async def _bare(bench: Bench, merchants: int) -> float:
    async def step(_: int) -> None:
        ids = [str(uuid4()) for _ in range(BATCH)]
        rows = [
            (id_, leg, f"{account}-{place % merchants}", side, amount)
            for place, id_ in enumerate(ids)
            for leg, (account, side, amount) in enumerate(
                (("clearing", "debit", 49900), ("sales", "credit", 42288), ("tax", "credit", 7612))
            )
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        values = dict(zip(("payments", "legs", "accounts", "sides", "amounts"), columns, strict=True))
        async with bench.database.transaction() as tx:
            await tx.execute(_BARE, values)

    return await _paced(step, PAYMENTS)


async def _writer(bench: Bench, merchants: int) -> float:
    clock = SystemClock()

    async def step(_: int) -> None:
        events = [payment(rail=f"upi-{place % merchants}", currency="INR") for place in range(BATCH)]
        async with bench.database.transaction() as tx:
            await recording.succeeded(tx, clock, events)

    return await _paced(step, PAYMENTS)


async def _consumer(bench: Bench) -> float:
    """Payments per second from the first batch on: joining the group is not counted."""
    await bench.topics.create(PaymentSucceeded.type, partitions=PARTITIONS)
    for event in (PaymentRefunded, SurplusReceived, SurplusReturned):
        await bench.topics.create(event.type, partitions=PARTITIONS)
    for start in range(0, PAYMENTS, 5000):
        await send(bench.settings.kafka_bootstrap, [paid(payment()) for _ in range(start, start + 5000)])
    before = await transfers(bench.database)
    consumer = Consumer(bench.database, bench.settings, consumers(bench.settings))
    running = asyncio.create_task(consumer.run())

    async def begun() -> int:
        return await transfers(bench.database) - before

    already = await until(begun, limit=60)
    started = time.perf_counter()

    async def done() -> bool:
        return await transfers(bench.database) - before >= PAYMENTS

    await until(done, limit=170)
    taken = time.perf_counter() - started
    await consumer.stop()
    await running
    return (PAYMENTS - already) / taken


async def _commits(bench: Bench) -> list[float]:
    """Seconds of one durable commit of one row, one after the other."""
    samples = []
    for _ in range(SINGLES + 20):
        started = time.perf_counter()
        async with bench.database.transaction() as tx:
            await tx.execute(text("INSERT INTO bare_commit VALUES (:id)"), {"id": uuid4()})
        samples.append(time.perf_counter() - started)
    return samples[20:]


async def _singles(bench: Bench) -> list[float]:
    """Seconds of one journal by the API, one after the other; the application in this process."""
    app = create_app(bench.settings, secrets=SecretsStore(MemorySecrets()))
    token = _token(bench.issuer)
    samples = []
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ledger") as client,
    ):
        for number in range(SINGLES + 20):
            body = body_of(transfer("assets:upi-0-clearing:INR", "revenue:courses:INR", number + 1))
            headers = {"Idempotency-Key": str(uuid4()), "Authorization": f"Bearer {token}"}
            started = time.perf_counter()
            answer = await client.post(f"{LEDGER}/journals", json=body, headers=headers)
            samples.append(time.perf_counter() - started)
            assert answer.status_code == 201, answer.text
    return samples[20:]


def _token(issuer: Issuer) -> str:
    from joserfc import jwt

    now = int(time.time())
    claims = {
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": "bench",
        "client_id": "bench",
        "exp": now + 3600,
        "scope": "ledger:write",
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid}, claims, issuer.key)


async def _verified(bench: Bench) -> float:
    """Journals per second; and the last word on the run: everything that was posted is sound."""
    started = time.perf_counter()
    report = await verifying.verify(bench.database, Outside(None, None))
    assert report.findings == [], report.findings[:5]
    return report.journals / (time.perf_counter() - started)
