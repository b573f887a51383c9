"""O3: ten full resyncs with nothing changed write nothing to the API server, PostgreSQL or Kafka.

What was written is asked of the servers: objects have versions, PostgreSQL logs what it is told, and Kafka's controller
keeps every change of topics and configurations in a log of its own. What changes nothing the operator counts itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .api import EVERY_PART, NO_PODS, Api
from .process import Crew, OperatorProcess
from .records import decreed, written
from .waiting import eventually

RECONCILES, RESYNCS, WRITES = (
    f"suuupra_operator_{what}_total" for what in ("reconciles", "resyncs", "writes")
)
ROUNDS = 10
NAMES = ("shop", "quiet")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def maker(connected: Api, crew: Crew) -> AsyncIterator[OperatorProcess]:
    """An operator that goes over everything twice a second, and has made `shop` and `quiet`."""
    await connected.platform()
    await crew.end()
    operator = crew.start(drift_seconds="0.5", resync_seconds="0.5")
    await operator.leading()
    await connected.service("shop", EVERY_PART | {"replicas": {"min": 1}})  # Kubernetes writes to autoscalers
    await connected.service("quiet", NO_PODS)
    await connected.ready("shop")
    await connected.ready("quiet")
    await _settled(operator)
    yield operator
    await crew.end()
    await connected.clean_up()


async def test_o3_ten_resyncs_write_nothing(connected: Api, maker: OperatorProcess) -> None:
    before = await _everything(connected, maker)
    assert before[0] > 0
    assert before[-1], "Kafka's controller has written the topics down"
    rounds, looks = maker.total(RESYNCS), _looks(maker)

    def through() -> bool:
        return maker.total(RESYNCS) >= rounds + ROUNDS and _looks(maker) >= looks + len(NAMES) * ROUNDS

    await eventually(through, 60, "ten resyncs, and as many looks at each of two resources")
    assert await _everything(connected, maker) == before


async def test_o3_a_restart_compares_everything_and_writes_nothing(
    connected: Api, maker: OperatorProcess, crew: Crew
) -> None:
    before = await _everything(connected, maker)
    await crew.end()

    again = crew.start()
    await again.leading()
    await eventually(
        lambda: _looks(again) >= len(NAMES) and again.total(RECONCILES) >= 5, 30, "looks at both resources"
    )
    assert await _everything(connected, again) == (0, *before[1:])


def _looks(operator: OperatorProcess) -> float:
    """How often it has looked at a service."""
    return operator.total(RECONCILES, kind="SuuupraService")


async def _everything(
    api: Api, operator: OperatorProcess
) -> tuple[float, dict[str, str], int, list[str], list[bytes]]:
    """What the operator says it wrote; versions of what is in the API server, its Events; what the servers were told."""
    versions = await api.versions(NAMES)
    platform = await api.must("SuuupraPlatform", "suuupra", "")
    versions["platform"] = platform["metadata"]["resourceVersion"]
    events = [event for name in NAMES for event in await api.events(name)]
    return operator.total(WRITES), versions, len(events), written(api.servers), decreed(api.servers)


async def _settled(operator: OperatorProcess) -> None:
    """Wait until ten looks at services in a row have written nothing."""
    seen = (-1.0, 0.0)

    def look() -> bool:
        nonlocal seen
        now = operator.total(WRITES), _looks(operator)
        if now[0] != seen[0]:
            seen = now
        return now[1] >= seen[1] + 10 and now[0] > 0

    await eventually(look, 60, "writes come to rest")
