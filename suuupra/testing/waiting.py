"""Waiting for a condition instead of for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

POLL_SECONDS: Final = 0.01

T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T]], *, limit: float = 30.0) -> T:
    """The first true answer of `probe`; AssertionError with the last answer after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := await probe()):
        if time.monotonic() > deadline:
            raise AssertionError(
                f"{getattr(probe, '__name__', 'the condition')} still {answer!r} after {limit:g} s"
            )
        await asyncio.sleep(POLL_SECONDS)
    return answer
