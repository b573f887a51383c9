"""O20: killed after any write, it converges. O23: one writer among three. O24: a server away for a minute."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from suuupra_operator.writes import Write

from suuupra.testing.containers import docker

from .api import NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually

WHOLE: dict[str, Any] = NO_PODS | {
    "database": {"reclaim": "Delete"},
    "buckets": [{"name": "media", "reclaim": "Delete"}],
    "events": {"reclaim": "Delete", "publishes": [{"topic": "order.created", "partitions": 2}]},
}
ON_CREATION = (
    Write.FINALIZER_ADDED,
    Write.STATUS,
    Write.CHILD_APPLIED,
    Write.ROLES,
    Write.DATABASE_CREATED,
    Write.DATABASE_PREPARED,
    Write.TOPICS_CREATED,
    Write.BUCKET_CREATED,
    Write.USER_CREATED,
    Write.POLICY_PUT,
    Write.KEY_CREATED,
)
ON_DELETION = (
    Write.CHILD_DELETED,
    Write.DATABASE_DROPPED,
    Write.ROLES_DROPPED,
    Write.TOPICS_DELETED,
    Write.USER_DELETED,
    Write.BUCKET_DELETED,
    Write.FINALIZER_REMOVED,
)


async def _killed_at(api: Api, launch: Callable[..., OperatorProcess], write: Write) -> None:
    """Kill an operator after its first write of this kind; its Lease is taken away, which saves its expiry."""
    process = launch(SUUUPRA_FAILPOINTS=f"operator.{write.value}")
    assert await process.died(60) == -signal.SIGKILL, process.log()[-2000:]
    await api.delete("Lease", "suuupra-operator", "suuupra-system")


@pytest.mark.parametrize("write", ON_CREATION)
async def test_o20_killed_while_making_it_converges_without_double_or_orphan(
    api: Api, launch: Callable[..., OperatorProcess], write: Write
) -> None:
    await api.service("shop", WHOLE)
    await _killed_at(api, launch, write)

    await launch().leading()
    await api.ready("shop")

    servers = api.servers
    assert servers.topics() == {"order.created": 2, "order.created.dlt": 1}
    roles = servers.psql("select rolname from pg_roles where rolname like 'shop%' order by 1")
    assert roles == ["shop_app", "shop_app_a", "shop_app_b", "shop_migrate", "shop_owner"]
    assert len(servers.psql("select 1 from pg_roles where rolname like 'shop_app_%' and rolcanlogin")) == 1


@pytest.mark.parametrize("write", ON_DELETION)
async def test_o20_killed_while_leaving_it_ends_without_orphan(
    api: Api, launch: Callable[..., OperatorProcess], write: Write
) -> None:
    first = launch()
    await first.leading()
    await api.service("shop", WHOLE)
    await api.ready("shop")
    first.end()
    await api.delete("Lease", "suuupra-operator", "suuupra-system")
    await api.delete("SuuupraService", "shop")
    await _killed_at(api, launch, write)

    await launch().leading()
    await api.gone("SuuupraService", "shop")
    assert api.servers.topics() == {}
    assert api.servers.psql("select count(*) from pg_roles where rolname like 'shop%'") == ["0"]


async def test_o23_one_writes_and_hands_over_within_thirty_seconds(
    api: Api, launch: Callable[..., OperatorProcess]
) -> None:
    replicas = [launch() for _ in range(3)]
    leader = await _leader(replicas)
    assert sum(replica.leads() for replica in replicas) == 1
    others = [replica for replica in replicas if replica is not leader]

    leader.signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    await api.service("shop", NO_PODS)
    await _leader(others, 30)
    assert time.monotonic() - frozen_at < 30
    await api.ready("shop", 30)
    written = await api.versions(["shop"])

    leader.signal(signal.SIGCONT)
    assert await leader.died(30) == 1
    assert await api.versions(["shop"]) == written
    assert "stopping" in leader.log()


async def test_o23_a_leader_that_ends_in_order_hands_over_at_once(
    api: Api, launch: Callable[..., OperatorProcess]
) -> None:
    replicas = [launch(), launch()]
    leader = await _leader(replicas)
    leader.signal(signal.SIGTERM)
    began = time.monotonic()
    await _leader([replica for replica in replicas if replica is not leader], 12)
    assert time.monotonic() - began < 12
    assert await leader.died(20) == 0


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_o24_a_server_away_for_a_minute_stops_no_other_resource(
    api: Api, operator: OperatorProcess, server: str
) -> None:
    part = (
        {"database": {}} if server == "postgres" else {"events": {"publishes": [{"topic": "order.created"}]}}
    )
    container = getattr(api.servers, server)
    docker("pause", container.id)
    away_since = time.monotonic()
    try:
        await eventually(
            lambda: operator.total("suuupra_operator_backend_up", backend=server) == 0, 60, "noticed"
        )
        await api.service("needs-it", NO_PODS | part)
        await api.service("does-not", NO_PODS)
        await api.ready("does-not", 15)
        before = operator.total("suuupra_operator_reconciles_total")
        await asyncio.sleep(max(0.0, 60 - (time.monotonic() - away_since)))  # the outage's own length
        during = operator.total("suuupra_operator_reconciles_total") - before
        assert during < 3 * 60, f"{during} reconciles while nothing could be done"
        assert (await api.condition("needs-it"))["status"] == "False"
    finally:
        docker("unpause", container.id)
    await api.ready("needs-it", 90)


async def test_o24_a_service_that_was_ready_stays_so_while_kafka_is_away_and_says_it(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", NO_PODS | {"events": {"publishes": [{"topic": "order.created"}]}})
    await api.ready("shop")
    docker("pause", api.servers.kafka.id)
    try:
        unseen = await api.until("shop", "TopicsReady", status="Unknown", within=60)
        assert unseen["reason"] == "KafkaUnreachable"
        ready = await api.condition("shop")
        assert ready["status"] == "True"
        assert "TopicsReady: there when last seen, events wait in the outbox" in ready["message"]
    finally:
        docker("unpause", api.servers.kafka.id)
    await api.until("shop", "TopicsReady", status="True", within=60)
    assert (await api.condition("shop"))["message"] == "every part is ready"


async def _leader(replicas: list[OperatorProcess], within: float = 40) -> OperatorProcess:
    def look() -> OperatorProcess | None:
        return next((replica for replica in replicas if replica.leads()), None)

    found = await eventually(look, within, "a leader")
    assert found is not None
    return found
