"""O3: ten full resyncs with nothing changed write nothing to the API server, PostgreSQL or Kafka."""

from __future__ import annotations

from collections.abc import Callable

from .api import EVERY_PART, NO_PODS, Api
from .process import Crew, OperatorProcess
from .waiting import eventually

READING = ("select", "show", "set", "begin", "commit", "deallocate")


async def test_o3_ten_resyncs_write_nothing(api: Api, launch: Callable[..., OperatorProcess]) -> None:
    operator = launch(drift_seconds="0.5", resync_seconds="0.5")
    await operator.leading()
    await api.service(
        "shop", EVERY_PART | {"replicas": {"min": 1}}
    )  # Kubernetes itself writes to autoscalers
    await api.service("quiet", NO_PODS)
    await api.ready("shop")
    await api.ready("quiet")
    settled = await _settled(operator)
    versions = await api.versions(["shop", "quiet"])
    statements = _written(api.servers.postgres_log())
    topics = api.servers.topics()
    rounds = operator.total("suuupra_operator_reconciles_total")

    def ten_rounds() -> bool:
        return operator.total("suuupra_operator_reconciles_total") >= rounds + 10 * 3

    await eventually(ten_rounds, 60, "ten rounds over two services and the platform")

    assert operator.total("suuupra_operator_writes_total") == settled
    assert await api.versions(["shop", "quiet"]) == versions
    assert _written(api.servers.postgres_log()) == statements
    assert api.servers.topics() == topics


async def test_o3_a_restart_compares_everything_and_writes_nothing(api: Api, alone: Crew) -> None:
    operator = await alone.stand()
    await api.service("shop", EVERY_PART | {"replicas": {"min": 1}})
    await api.ready("shop")
    await _settled(operator)
    versions = await api.versions(["shop"])
    await alone.end()

    again = alone.start()
    await again.leading()
    await eventually(lambda: again.total("suuupra_operator_reconciles_total") >= 5, 30, "five reconciles")

    assert again.total("suuupra_operator_writes_total") == 0
    assert await api.versions(["shop"]) == versions


async def _settled(operator: OperatorProcess) -> float:
    """Wait until ten reconciles in a row have written nothing; the number of writes so far."""

    def look() -> float | None:
        nonlocal seen
        now = (
            operator.total("suuupra_operator_writes_total"),
            operator.total("suuupra_operator_reconciles_total"),
        )
        if now[0] != seen[0]:
            seen = now
        return now[0] if now[1] >= seen[1] + 6 and now[0] > 0 else None

    seen = (-1.0, 0.0)
    found = await eventually(look, 60, "writes come to rest")
    assert found is not None
    return found


def _written(log: str) -> list[str]:
    """Statements of the operator, and of anybody else, that change something."""
    found = [
        line.partition("statement: ")[2].strip().lower() for line in log.splitlines() if "statement: " in line
    ]
    found += [line.partition(">: ")[2].strip().lower() for line in log.splitlines() if "execute <" in line]
    return [text for text in found if text and not text.startswith(READING)]
