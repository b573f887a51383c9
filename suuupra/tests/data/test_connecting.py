"""A server that takes a connection and says nothing, as a frozen PostgreSQL does, is hung up on."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from suuupra import outbox_queue
from suuupra.connecting import connected
from suuupra.db import Database, DatabaseUnavailable

MOMENT = 0.3
"""Seconds after which somebody no longer waits for a connection."""


async def connects(url: str) -> None:
    await connected(psycopg.AsyncConnection, url, connect_timeout=2)


async def listens(url: str) -> None:
    async with Database(url, application="test").listening("news"):
        pass


async def works(url: str) -> None:
    """Whose patience, a second, ends before the driver's."""
    async with Database(url, application="test").transaction():
        pass


async def relays(url: str) -> None:
    async with outbox_queue.opened(url, "test"):
        pass


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Its address, and when the one caller it had has hung up. The garbage collector is not there meanwhile."""
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        hung_up.set()
        writer.close()

    gc.disable()
    try:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield f"postgresql://somebody@127.0.0.1:{port}/any?sslmode=disable", hung_up
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("way", "error"),
    [
        (connects, psycopg.errors.ConnectionTimeout),
        (listens, DatabaseUnavailable),
        (works, DatabaseUnavailable),
        (relays, psycopg.errors.ConnectionTimeout),
    ],
)
async def test_o24_a_connection_that_is_not_made_in_time_is_closed_and_not_left_to_the_garbage_collector(
    way: Callable[[str], Awaitable[None]], error: type[Exception]
) -> None:
    """Else PostgreSQL, once it is back, waits for its password for a minute, and dropping a database waits for that."""
    async with silent_server() as (url, hung_up):
        with pytest.raises(error) as kept:  # by whoever logs it
            await way(url)
        await asyncio.wait_for(hung_up.wait(), 1)
        assert kept.value.__traceback__


@pytest.mark.parametrize("way", [connects, listens, works, relays])
async def test_o24_a_connection_that_nobody_waits_for_any_more_is_closed_too(
    way: Callable[[str], Awaitable[None]],
) -> None:
    async with silent_server() as (url, hung_up):
        with pytest.raises(TimeoutError) as kept:
            await asyncio.wait_for(way(url), MOMENT)
        await asyncio.wait_for(hung_up.wait(), 1)
        assert kept.value.__traceback__
