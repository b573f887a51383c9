"""The budget of the platform at rest is one that fails the benchmark, not one that is only printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .footprint import PLATFORM, Reading, Snapshot, figures

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def used(cores: float, gib: float, kubernetes: float = 0.0) -> tuple[Snapshot, Snapshot]:
    """A node a hundred seconds apart: one pod of ours and one of Kubernetes' own."""

    def at(seconds: float) -> Snapshot:
        time = BEGIN + timedelta(seconds=seconds)
        ours = Reading(time, cores * seconds, round(gib * 2**30))
        theirs = Reading(time, kubernetes * seconds, round(kubernetes * 2**30))
        node = Reading(time, ours.core_seconds + theirs.core_seconds, ours.bytes + theirs.bytes)
        return {("", ""): node, ("suuupra", "web-1/web"): ours, ("kube-system", "api-1/api"): theirs}

    return at(0), at(100)


@pytest.mark.parametrize(
    ("cores", "gib", "broken"),
    [
        (0.6, 5.9, []),
        (0.8, 5.9, [f"processor, {PLATFORM}"]),
        (0.6, 6.1, [f"memory, {PLATFORM}"]),
    ],
)
def test_a_platform_beyond_its_budget_breaks_it_whatever_kubernetes_takes(
    cores: float, gib: float, broken: list[str]
) -> None:
    found = figures(*used(cores, gib, kubernetes=1.0))
    assert [figure.name for figure in found if figure.breaks] == broken
