"""A kind cluster, backing servers and operator processes for tests that break them.

The cluster is these tests' own: they stop API servers' clients, take Leases away and point the platform elsewhere, which
no cluster with a platform on it would survive. SUUUPRA_KEEP_CLUSTER=1 leaves it for the next run.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from .api import Api
from .machines import KindCluster, Servers
from .process import OperatorProcess

pytestmark = pytest.mark.cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder needs the cluster."""
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def kind() -> Iterator[KindCluster]:
    """The cluster, with the stand-in workload's images loaded and the CRDs applied."""
    cluster = KindCluster.bring_up()
    yield cluster
    if not os.environ.get("SUUUPRA_KEEP_CLUSTER"):
        cluster.delete()


@pytest.fixture(scope="session")
def servers(kind: KindCluster, containers: None) -> Iterator[Servers]:
    """PostgreSQL, Kafka and the object store, at addresses that pods and this machine both reach."""
    running = Servers.start()
    yield running
    running.remove()


@pytest_asyncio.fixture
async def api(kind: KindCluster, servers: Servers) -> AsyncIterator[Api]:
    """The API server, with the platform applied; everything a test applied is gone after it."""
    async with Api.connected(kind, servers) as connected:
        yield connected
        await connected.clean_up()


@pytest.fixture
def launch(kind: KindCluster) -> Iterator[Callable[..., OperatorProcess]]:
    """Starts operators, which end with the test."""
    running: list[OperatorProcess] = []

    def start(**settings: str) -> OperatorProcess:
        running.append(OperatorProcess.start(kind.kubeconfig, settings))
        return running[-1]

    yield start
    for process in running:
        process.end()


@pytest_asyncio.fixture
async def operator(api: Api, launch: Callable[..., OperatorProcess]) -> OperatorProcess:
    """One operator that leads, with short intervals."""
    process = launch()
    await process.leading()
    return process
