"""A test that fails here tells what it failed of: conditions, last words of the pods, last words of the operator."""

from __future__ import annotations

import pytest

from .api import NO_PODS, Api
from .picture import sections
from .process import OperatorProcess
from .waiting import eventually


async def test_a_failure_shows_conditions_and_the_last_words_of_pods_and_operators(
    api: Api, operator: OperatorProcess, request: pytest.FixtureRequest
) -> None:
    spec = NO_PODS | {"database": {}, "env": {"WORKLOAD_MIGRATION": "this is no SQL"}}
    await api.service("broken", spec)
    await api.until("broken", "MigrationsReady", status="False", reason="Migrating")
    shown: dict[str, str] = {}

    def told() -> bool:
        shown.update(sections(request.node.funcargs))
        return 'syntax error at or near "this"' in shown["the cluster at that moment"]

    await eventually(told, 60, lambda: f"the pod's last words, but: {shown}")
    assert "broken:\n  Ready=False" in shown["the cluster at that moment"]
    assert "MigrationsReady=False Migrating: Job broken-migrate" in shown["the cluster at that moment"]
    assert shown[f"last words of operator {operator.pid}"]
