"""A server that takes a connection and says nothing, as a frozen PostgreSQL does, is hung up on."""

from __future__ import annotations

import asyncio
import gc

import psycopg
import pytest
from suuupra_operator.databases import connected


async def test_o24_a_connection_that_is_not_made_in_time_is_closed_and_not_left_to_the_garbage_collector() -> (
    None
):
    """Else PostgreSQL, once it is back, waits for its password for a minute, and dropping a database waits for that."""
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until whoever asks hangs up
        closed.set()
        writer.close()

    gc.disable()
    try:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            told = f"host=127.0.0.1 port={port} user=somebody dbname=any connect_timeout=2 sslmode=disable"
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                await connected(told)
            await asyncio.wait_for(closed.wait(), 1)
    finally:
        gc.enable()
