"""Shared by tests of limits: a service behind the gateways of one file."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.api_gateway.tests.rig import Upstream


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    started = await Upstream.start()
    yield started
    await started.stop()
