"""Whenever a unit of work is cancelled, its connection is back in the pool: none is left to the garbage collector."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
from psycopg import waiting
from sqlalchemy import text

from suuupra.db import Database

pytestmark = pytest.mark.integration

Work = Callable[[Database], Awaitable[None]]


async def reads(database: Database) -> None:
    async with database.reading() as tx:
        await tx.execute(text("SELECT 1"))


async def writes(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("SELECT 1"))


async def cancelled(work: Awaitable[None], turns: int) -> bool:
    """Cancel it when the event loop has turned that often; whether it was still under way."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@pytest.mark.parametrize("work", [reads, writes] * 3)
async def test_a_unit_of_work_that_is_cancelled_at_any_turn_gives_its_connection_back(
    database_url: str, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_BUSY_TIME", -1.0)  # as on a busy machine: psycopg yields at every step
    database = Database(database_url, application="test", pool_size=1)
    turns = 0
    try:
        await reads(database)
        while await cancelled(work(database), turns):
            await reads(database)
            turns += 1
        gc.collect()
    finally:
        await database.close()
    assert turns > 3, "nothing was cancelled while it was under way"
