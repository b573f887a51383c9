"""A kind cluster, backing servers and operator processes for tests that break them.

The cluster is these tests' own: they stop API servers' clients, take Leases away and point the platform elsewhere, which
no cluster with a platform on it would survive. SUUUPRA_KEEP_CLUSTER=1 leaves it for the next run.
"""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from .api import Api
from .launcher import Launcher
from .machines import KindCluster, Servers
from .picture import pytest_runtest_makereport as pytest_runtest_makereport
from .process import Crew, OperatorProcess

SESSION: Final = "session"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder needs the cluster, and shares one event loop with the fixtures it shares."""
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.cluster)
            if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
                item.add_marker(pytest.mark.asyncio(loop_scope=SESSION), append=False)


@pytest.fixture(scope=SESSION)
def kind() -> Iterator[KindCluster]:
    """The cluster, with the stand-in workload's images loaded and the CRDs applied."""
    cluster = KindCluster.bring_up()
    yield cluster
    if not os.environ.get("SUUUPRA_KEEP_CLUSTER"):
        cluster.delete()


@pytest.fixture(scope=SESSION)
def servers(kind: KindCluster, containers: None) -> Iterator[Servers]:
    """PostgreSQL, Kafka and the object store, at addresses that pods and this machine both reach."""
    running = Servers.start()
    yield running
    running.remove()


@pytest_asyncio.fixture(scope=SESSION, loop_scope=SESSION)
async def connected(kind: KindCluster, servers: Servers) -> AsyncIterator[Api]:
    """The API server, with whatever is there; for tests that leave nothing behind."""
    async with Api.connected(kind, servers) as found:
        await found.forget_lease()  # of an operator whose session was killed
        await found.clean_up()
        yield found


@pytest_asyncio.fixture(scope=SESSION, loop_scope=SESSION)
async def crew(connected: Api) -> AsyncIterator[Crew]:
    """Where operators come from."""
    kind, launcher, programs = connected.kind, Launcher.start(), connected.servers.pg_dump_folder()
    found = Crew(launcher, kind.kubeconfig, programs, kind.operator_image, connected.forget_lease)
    yield found
    await found.end()
    launcher.end()
    shutil.rmtree(programs)


@pytest_asyncio.fixture(loop_scope=SESSION)
async def api(connected: Api) -> AsyncIterator[Api]:
    """The API server, with the platform applied; everything a test applied is gone after it."""
    await connected.platform()
    yield connected
    await connected.clean_up()


@pytest_asyncio.fixture(loop_scope=SESSION)
async def operator(api: Api, crew: Crew) -> OperatorProcess:
    """One operator that leads, with short intervals. It has served other tests."""
    return await crew.stand()


@pytest_asyncio.fixture(loop_scope=SESSION)
async def alone(api: Api, crew: Crew) -> AsyncIterator[Crew]:
    """No operator of anybody else's; those that the test starts end with it."""
    await crew.end()
    yield crew
    await crew.end()


@pytest.fixture
def launch(alone: Crew) -> Callable[..., OperatorProcess]:
    """Starts operators, which end with the test."""
    return alone.start
