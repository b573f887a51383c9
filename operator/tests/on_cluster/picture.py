"""What a person would look at first when a test here failed: conditions, last words of pods, and of the operators."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from bringup.tools import path as tool

from tests.cluster.kube import Kube
from tests.cluster.picture import LOG_LINES, shown

from .machines import KindCluster
from .process import Crew


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += sections(getattr(item, "funcargs", {}))
    return report


def sections(fixtures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Titles and texts about the cluster and the operators among a test's fixtures."""
    found = []
    kind, crew = fixtures.get("kind"), fixtures.get("crew")
    if isinstance(kind, KindCluster):
        found.append(("the cluster at that moment", shown(Kube(Path(tool("kubectl")), kind.kubeconfig))))
    for process in crew.running if isinstance(crew, Crew) else []:
        last = "\n".join(process.log().splitlines()[-LOG_LINES:])
        found.append((f"last words of operator {process.pid}", last))
    return found
