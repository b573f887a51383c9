"""An application of this process on a port, served as a pod serves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from suuupra.serving import Server, listen


@asynccontextmanager
async def listening(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Its address while it listens on 127.0.0.1. Its lifespan is the caller's; the port is any, or the one given."""
    server, socket = Server(app), listen("127.0.0.1", port)
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        await server.listening.wait()
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
