"""O23: one writer among three. O24: with a server away for a minute, everything else goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from suuupra_operator.settings import Settings
from suuupra_operator.writer import FINALIZER
from suuupra_operator.writes import Write

from .api import NO_PODS, Api
from .outage import Outage
from .process import OperatorProcess
from .records import written
from .waiting import eventually

AWAY_SECONDS = 60.0
APART_SECONDS = 15.0
"""PostgreSQL goes, and comes back, at least this long after Kafka, so that each is once the only one that is away."""

WRITES = "suuupra_operator_writes_total"
AS_USUAL = {"lease_seconds": str(Settings().lease_seconds)}
"""How long a hand-over takes is what is proven: the Lease is asked for as often as one does that nobody configured."""


async def test_o23_one_of_three_writes_hands_over_within_thirty_seconds_and_writes_nothing_when_woken(
    api: Api, launch: Callable[..., OperatorProcess]
) -> None:
    """The leader is stopped with its hands full: it has just been told that it may make roles in PostgreSQL."""
    point = f"operator.{Write.ROLES.value}.allowed=SIGSTOP"
    stopped = launch(**AS_USUAL, SUUUPRA_FAILPOINTS=point)
    await stopped.leading()
    others = [launch(**AS_USUAL), launch(**AS_USUAL)]
    said = len(written(api.servers))
    await api.service("shop", NO_PODS | {"database": {}})
    await eventually(stopped.stopped, 30, lambda: f"the leader is stopped: {stopped.log()[-2000:]}")
    stopped_at = time.monotonic()
    assert FINALIZER in (await api.must("SuuupraService", "shop"))["metadata"]["finalizers"]
    assert written(api.servers)[said:] == []
    assert [other.total(WRITES) for other in others] == [0, 0]

    leader = await _leader(others, 30)
    assert time.monotonic() - stopped_at < 30
    (standby,) = (other for other in others if other is not leader)
    await api.ready("shop", 60)
    before = await api.versions(["shop"]), written(api.servers)
    assert any("shop_owner" in line for line in before[1][said:])

    stopped.signal(signal.SIGCONT)
    assert await stopped.died(30) == 1
    assert "stopping" in stopped.log()
    assert (await api.versions(["shop"]), written(api.servers)) == before
    assert (leader.leads(), standby.leads(), standby.total(WRITES)) == (True, False, 0)


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
    """For ten minutes each: tests/recovery/outage.py, whose last times are in docs/bench."""
    await Outage(api, operator, AWAY_SECONDS, APART_SECONDS).run()


async def _leader(replicas: list[OperatorProcess], within: float = 40) -> OperatorProcess:
    def look() -> OperatorProcess | None:
        return next((replica for replica in replicas if replica.leads()), None)

    return await eventually(look, within, "a leader")
