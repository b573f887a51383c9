"""A relay or a consumer that runs inside a test."""

import asyncio
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition

from suuupra import consuming
from suuupra.running import Runnable


@asynccontextmanager
async def running(*runnables: Runnable) -> AsyncIterator[None]:
    """Run them inside; then stop them and let them end."""
    tasks = [asyncio.create_task(runnable.run()) for runnable in runnables]
    try:
        yield
    finally:
        for runnable in runnables:
            await runnable.stop()
        await asyncio.gather(*tasks)


def told_to_give_up(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when a consumer is told that partitions with a worker are no longer its own."""
    told = asyncio.Event()
    original = consuming._Session.on_partitions_revoked

    async def revoked(self: consuming._Session, partitions: Set[TopicPartition]) -> None:
        if self._workers:
            told.set()
        await original(self, partitions)

    monkeypatch.setattr(consuming._Session, "on_partitions_revoked", revoked)
    return told
