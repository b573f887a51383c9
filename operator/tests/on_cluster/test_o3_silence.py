"""O3: ten full resyncs with nothing changed write nothing to the API server, PostgreSQL or Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .api import EVERY_PART, NO_PODS, Api
from .process import Crew, OperatorProcess
from .waiting import eventually

READING = ("select", "show", "set", "begin", "commit", "deallocate")


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
    servers = connected.servers
    settled = maker.total("suuupra_operator_writes_total")
    versions = await connected.versions(["shop", "quiet"])
    statements, topics = _written(servers.postgres_log()), servers.topics()
    rounds = maker.total("suuupra_operator_reconciles_total")

    def ten_rounds() -> bool:
        return maker.total("suuupra_operator_reconciles_total") >= rounds + 10 * 3

    await eventually(ten_rounds, 60, "ten rounds over two services and the platform")

    assert maker.total("suuupra_operator_writes_total") == settled > 0
    assert await connected.versions(["shop", "quiet"]) == versions
    assert _written(servers.postgres_log()) == statements
    assert servers.topics() == topics


async def test_o3_a_restart_compares_everything_and_writes_nothing(
    connected: Api, maker: OperatorProcess, crew: Crew
) -> None:
    versions = await connected.versions(["shop", "quiet"])
    await crew.end()

    again = crew.start()
    await again.leading()
    await eventually(lambda: again.total("suuupra_operator_reconciles_total") >= 5, 30, "five reconciles")

    assert again.total("suuupra_operator_writes_total") == 0
    assert await connected.versions(["shop", "quiet"]) == versions


async def _settled(operator: OperatorProcess) -> None:
    """Wait until six reconciles in a row have written nothing."""

    def look() -> bool:
        nonlocal seen
        now = (
            operator.total("suuupra_operator_writes_total"),
            operator.total("suuupra_operator_reconciles_total"),
        )
        if now[0] != seen[0]:
            seen = now
        return now[1] >= seen[1] + 6 and now[0] > 0

    seen = (-1.0, 0.0)
    await eventually(look, 60, "writes come to rest")


def _written(log: str) -> list[str]:
    """Statements of the operator, and of anybody else, that change something."""
    found = [
        line.partition("statement: ")[2].strip().lower() for line in log.splitlines() if "statement: " in line
    ]
    found += [line.partition(">: ")[2].strip().lower() for line in log.splitlines() if "execute <" in line]
    return [text for text in found if text and not text.startswith(READING)]
