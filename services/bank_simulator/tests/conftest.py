"""A bank on a real database."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from services.bank_simulator.tests.counter import Counter, counter_of
from suuupra.clock import FakeClock

CounterWith = Callable[..., AbstractAsyncContextManager[Counter]]


@pytest.fixture
def counter_with(database_url: str, clock: FakeClock) -> CounterWith:
    """`counter_with(latency="20ms")`: an open bank that behaves so."""

    @asynccontextmanager
    async def opened(**profile: Any) -> AsyncIterator[Counter]:
        counter = counter_of(database_url, clock, profile)
        async with counter.bank.router.lifespan_context(counter.bank):
            assert await counter.bank.state.membership.once()
            yield counter
            await counter.bank.state.membership._client.aclose()
            await counter.http.aclose()

    return opened


@pytest_asyncio.fixture
async def counter(counter_with: CounterWith) -> AsyncIterator[Counter]:
    """A bank that answers at once."""
    async with counter_with() as made:
        yield made
