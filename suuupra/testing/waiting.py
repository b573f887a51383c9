"""Waiting for a condition instead of for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import httpx

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


async def insisted(send: Callable[[], Awaitable[httpx.Response]], *, limit: float = 60.0) -> httpx.Response:
    """The answer to a request that is sent again for as long as it is told to come again (Retry-After)."""

    async def answered() -> httpx.Response | None:
        answer = await send()
        return None if "retry-after" in answer.headers else answer

    answer = await until(answered, limit=limit)
    assert answer is not None
    return answer
