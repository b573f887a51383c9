"""A checkout's live stream, as a browser hears it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from services.web.tests.conftest import World
from suuupra.testing.waiting import until


@asynccontextmanager
async def watching(client: httpx.AsyncClient, order: UUID) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """The live stream, read to its end by a task of its own."""
    task = asyncio.create_task(client.get(f"/checkout/{order}/events"))
    try:
        yield task
    finally:
        task.cancel()


def marks(answer: httpx.Response) -> list[str]:
    """What a live stream told, without what only keeps it open."""
    return [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]


@asynccontextmanager
async def looked_again(world: World, service: str, times: int = 1) -> AsyncIterator[None]:
    """Whoever watches has asked the service so often after what is done within."""
    before = len(world.network.asked(service))
    yield

    async def enough() -> bool:
        return len(world.network.asked(service)) >= before + times

    await until(enough)
