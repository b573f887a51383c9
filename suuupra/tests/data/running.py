"""A relay or a consumer that runs inside a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
