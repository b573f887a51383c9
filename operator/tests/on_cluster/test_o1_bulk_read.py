"""O1: topics, roles and databases are read in bulk: however many resources there are, a round is one read of each server."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from confluent_kafka.admin import AdminClient
from suuupra_operator import bus
from suuupra_operator.catalog import read
from suuupra_operator.writes import Gate

from .api import NO_PODS, Api
from .process import OperatorProcess
from .records import statements
from .waiting import eventually

RESOURCES = ("one", "two", "three")
ROUNDS = 5
FIRST_LINE = read(verifiers=True).strip().splitlines()[0].lower()


class Nobody:
    """Holds no Lease, since it only reads."""

    def check(self) -> None:
        raise AssertionError("a read asks for no Lease")

    async def confirm(self) -> None:
        self.check()


class Asked(AdminClient):
    """Kafka's administration, which counts what it is asked."""

    requests: ClassVar[Counter[str]] = Counter()

    def list_topics(self, *words: Any, **more: Any) -> Any:
        self.requests["topics"] += 1
        return super().list_topics(*words, **more)

    def describe_configs(self, *words: Any, **more: Any) -> Any:
        self.requests["configurations"] += 1
        return super().describe_configs(*words, **more)


async def test_o1_however_many_there_are_a_round_is_one_read_of_each_server(
    api: Api, operator: OperatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RESOURCES:
        topics = {"publishes": [{"topic": f"{name}.made", "partitions": 1}]}
        await api.service(name, NO_PODS | {"database": {}, "events": topics})
    for name in RESOURCES:
        await api.ready(name)

    rounds, said = _rounds(operator), len(statements(api.servers))
    await eventually(lambda: _rounds(operator) >= rounds + ROUNDS, 60, "rounds of reading")
    told = statements(api.servers)[said:]
    assert {text for text in told if text.startswith("select")} == {FIRST_LINE}
    assert abs(len(told) - (_rounds(operator) - rounds)) <= 1

    monkeypatch.setattr(bus, "AdminClient", Asked)
    kafka = bus.Bus(Gate(Nobody()))
    await kafka.configure(api.servers.broker)
    assert await kafka.refresh()
    assert kafka.known().keys() >= {f"{name}.made.dlt" for name in RESOURCES}
    assert Asked.requests == {"topics": 1, "configurations": 1}


def _rounds(operator: OperatorProcess) -> float:
    """Each round looks at the platform once, at its end."""
    return operator.total("suuupra_operator_reconciles_total", kind="SuuupraPlatform")
