"""O23: one writer among three. O24: with a server away for a minute, everything else goes on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from suuupra_operator.settings import Settings

from suuupra.testing.containers import docker

from .api import NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually

AWAY_SECONDS = 60.0
APART_SECONDS = 15.0
"""PostgreSQL goes, and comes back, at least this long after Kafka, so that each is once the only one that is away."""

AS_USUAL = {"lease_seconds": str(Settings().lease_seconds)}
"""How long a hand-over takes is what is proven: the Lease is asked for as often as one does that nobody configured."""


async def test_o23_one_writes_and_hands_over_within_thirty_seconds(
    api: Api, launch: Callable[..., OperatorProcess]
) -> None:
    replicas = [launch(**AS_USUAL) for _ in range(3)]
    leader = await _leader(replicas)
    assert sum(replica.leads() for replica in replicas) == 1
    others = [replica for replica in replicas if replica is not leader]
    assert [replica.total("suuupra_operator_writes_total") for replica in others] == [0, 0]

    await api.service("shop", NO_PODS | {"database": {}})
    leader.signal(signal.SIGSTOP)  # with its hands full
    frozen_at = time.monotonic()
    await _leader(others, 30)
    assert time.monotonic() - frozen_at < 30
    await api.ready("shop", 60)
    written = await api.versions(["shop"])

    leader.signal(signal.SIGCONT)
    assert await leader.died(30) == 1
    assert await api.versions(["shop"]) == written
    assert "stopping" in leader.log()


async def test_o23_a_leader_that_ends_in_order_hands_over_at_once(
    api: Api, launch: Callable[..., OperatorProcess]
) -> None:
    replicas = [launch(**AS_USUAL), launch(**AS_USUAL)]
    leader = await _leader(replicas)
    leader.signal(signal.SIGTERM)
    began = time.monotonic()
    await _leader([replica for replica in replicas if replica is not leader], 12)
    assert time.monotonic() - began < 12
    assert await leader.died(20) == 0


async def test_o24_kafka_and_postgres_away_for_a_minute_each_stop_nothing_else(
    api: Api, operator: OperatorProcess
) -> None:
    kafka, postgres = api.servers.kafka.id, api.servers.postgres.id
    topics = NO_PODS | {"events": {"publishes": [{"topic": "order.created"}]}}
    await api.service("was-ready", NO_PODS | {"events": {"publishes": [{"topic": "parcel.sent"}]}})
    await api.ready("was-ready")
    began = time.monotonic()
    docker("pause", kafka)
    try:
        await _noticed(operator, "kafka")
        await api.service("needs-kafka", topics)
        await api.service("has-a-database", NO_PODS | {"database": {}})
        await api.ready("has-a-database", 30)
        await _stays_ready_and_says_so(api)

        await _at(began + APART_SECONDS)
        docker("pause", postgres)
        postgres_since = time.monotonic()
        await _noticed(operator, "postgres")
        await api.service("needs-postgres", NO_PODS | {"database": {}})
        await api.service("needs-neither", NO_PODS | {"routes": [{"path": "/v1/x", "auth": "none"}]})
        await api.ready("needs-neither", 15)
        await api.until("needs-postgres", "DatabaseReady", reason="PostgreSQLUnreachable")
        away = await api.until("needs-kafka", "TopicsReady", reason="KafkaUnreachable")
        assert "Kafka does not answer" in away["message"]

        before, since = operator.total("suuupra_operator_reconciles_total"), time.monotonic()
        await _at(began + AWAY_SECONDS)
        rounds = operator.total("suuupra_operator_reconciles_total") - before
        assert rounds < 2 * (time.monotonic() - since), f"{rounds} reconciles while nothing could be done"

        docker("unpause", kafka)
        await api.ready("needs-kafka", 30)
        await api.until("was-ready", "TopicsReady", status="True")
        assert (await api.condition("was-ready"))["message"] == "every part is ready"
        assert (await api.condition("needs-postgres"))["status"] == "False"
        await _at(postgres_since + AWAY_SECONDS)
    finally:
        for container in (kafka, postgres):
            _unpaused(container)
    await api.ready("needs-postgres", 60)
    assert operator.total("suuupra_operator_reconciles_total", outcome="crash") == 0


async def _stays_ready_and_says_so(api: Api) -> None:
    """Its events wait in the outbox."""
    unseen = await api.until("was-ready", "TopicsReady", status="Unknown")
    assert unseen["reason"] == "KafkaUnreachable"
    ready = await api.condition("was-ready")
    assert ready["status"] == "True"
    assert "TopicsReady: there when last seen, events wait in the outbox" in ready["message"]


async def _noticed(operator: OperatorProcess, server: str) -> None:
    await eventually(
        lambda: operator.total("suuupra_operator_backend_up", backend=server) == 0,
        30,
        f"{server} is noticed to be away",
    )


async def _at(moment: float) -> None:
    """The length of an outage is the test's own; nothing else is waited for."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


def _unpaused(container: str) -> None:
    if docker("inspect", "--format", "{{.State.Paused}}", container) == "true":
        docker("unpause", container)


async def _leader(replicas: list[OperatorProcess], within: float = 40) -> OperatorProcess:
    def look() -> OperatorProcess | None:
        return next((replica for replica in replicas if replica.leads()), None)

    found = await eventually(look, within, "a leader")
    assert found is not None
    return found
