"""Waiting for what must become so, with words for when it does not."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

POLL_SECONDS = 0.1
T = TypeVar("T")


@overload
async def eventually(
    look: Callable[[], Awaitable[T | None]], within: float, what: str | Callable[[], str] = "it"
) -> T: ...


@overload
async def eventually(
    look: Callable[[], T | None], within: float, what: str | Callable[[], str] = "it"
) -> T: ...


async def eventually(
    look: Callable[[], Awaitable[T | None] | T | None], within: float, what: str | Callable[[], str] = "it"
) -> T:
    """The first true answer of ``look``, asked for at most ``within`` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = look()
        found = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what() if callable(what) else what}")
        await asyncio.sleep(POLL_SECONDS)
