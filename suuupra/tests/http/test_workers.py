"""A worker's readiness: it lets a rollout go on. What it waits for is shown, and does not decide."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from suuupra import serving
from suuupra.kafka import KafkaCheck
from suuupra.running import Signals
from suuupra.settings import ServiceSettings
from suuupra.testing.containers import free_port
from suuupra.tests.http.test_processes import Recorder, Task


class Bus:
    """Settings that name a broker's address where nobody listens."""

    name = "orders"

    def __init__(self) -> None:
        self.kafka_bootstrap = f"127.0.0.1:{free_port()}"


@asynccontextmanager
async def working(
    ports: ServiceSettings, database: Recorder, relay: Task, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A worker whose Kafka is away, and a client of its operations port."""
    signals = Signals()
    monkeypatch.setattr(serving, "Signals", lambda: signals)
    process = asyncio.create_task(serving.work(ports, [database], [relay], optional=[KafkaCheck(Bus())]))
    await relay.started.wait()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.ops_port}") as ops:
        yield ops
    signals.received(signal.SIGTERM)
    assert await process


@pytest.fixture
def ports(settings: ServiceSettings) -> ServiceSettings:
    return settings.model_copy(update={"ops_host": "127.0.0.1", "ops_port": free_port()})


async def test_a_worker_is_ready_while_kafka_is_away_and_says_what_it_waits_for(
    ports: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Task("relay")
    relay.reason = "no broker answers; events wait in the outbox"
    async with working(ports, Recorder("postgres", []), relay, monkeypatch) as ops:
        answer, metrics = await ops.get("/readyz"), (await ops.get("/metrics")).text
    checks = {check["name"]: check for check in answer.json()["checks"]}
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert checks["postgres"]["reason"] is None
    assert checks["kafka"] == {
        "name": "kafka",
        "reason": "KafkaUnavailable: see the log",
        "required": False,
    }
    assert checks["relay"] == {"name": "relay", "reason": relay.reason, "required": False}
    assert 'suuupra_ready{check="kafka"} 0.0' in metrics


async def test_a_worker_without_its_database_is_not_ready(
    ports: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Recorder("postgres", [])
    async with working(ports, database, Task("relay"), monkeypatch) as ops:
        database.fails = True
        assert (await ops.get("/readyz")).status_code == 503
