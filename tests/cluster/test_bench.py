"""The operator's benchmark on a real node: what it starts becomes Ready, and what crashes is told at once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ..load.cluster import Client, WillNotStart, clear, connected
from ..load.operator_ready import BARE, OURS, with_pods
from ..load.workload import workload
from .kube import Kube

pytestmark = pytest.mark.cluster

TOLD_WITHIN = 90.0
ONE, BARE_ONE = OURS[:1], BARE[:1]


@pytest_asyncio.fixture
async def client(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Of the cluster under test; what a benchmark made is gone after it."""
    monkeypatch.setenv("SUUUPRA_TEST_KUBECONFIG", str(kube.kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(kube.kubeconfig))
    async with connected() as found:
        yield found
        await clear(found, (*ONE, *BARE_ONE))


async def test_what_the_benchmark_starts_becomes_ready_made_by_the_operator_and_by_hand(
    client: Client,
) -> None:
    figures = await with_pods(client, workload(), ONE, BARE_ONE)
    assert [figure.name for figure in figures] == [
        "with a pod each, 1 at once: p50",
        "with a pod each, 1 at once: p95",
        "with a pod each, 1 at once: all Ready",
    ]


async def test_a_pod_that_crashes_ends_the_benchmark_with_its_own_words(client: Client) -> None:
    """It was fifteen minutes of silence when web had come to need a database that no resource of the benchmark has."""
    began = time.monotonic()
    with pytest.raises(WillNotStart, match=rf"pod {ONE[0]}-.* CrashLoopBackOff: .*SUUUPRA_\w+ is not set"):
        await with_pods(client, {"service": "web"}, ONE, BARE_ONE)
    assert time.monotonic() - began < TOLD_WITHIN
