"""Buckets that all gateways share, in Valkey: one timestamp per caller and limit, gone when the bucket is full."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import redis.asyncio as redis
from pydantic import SecretStr
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from services.api_gateway.domain.gcra import SCRIPT, Keyed, Verdict, verdict

SECONDS: Final = 0.1
"""Longest time for one answer; Envoy waits longer."""
LOOKS: Final = 10
"""In how many parts that time is waited. While this process stands still, an answer lies unread and the clock goes on:
that costs one part, and is not taken for a Valkey that is away."""
AT_ONCE: Final = 500
"""Questions of one trip, at most: while one is under way, those that come wait for the next."""


class CountersAway(Exception):
    """Valkey does not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class _Question:
    buckets: Sequence[Keyed]
    answer: asyncio.Future[Verdict]


class Counters:
    """The buckets. Questions that come together travel together, over one connection.

    `seconds` is the longest time for one answer, as long as this process runs.
    """

    def __init__(self, url: str, prefix: str = "", *, seconds: float = SECONDS) -> None:
        self._prefix = prefix
        self._seconds = seconds
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=None,  # `_in_time` sees to it
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._digest = ""
        self._waiting: list[_Question] = []
        self._sending: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, url: SecretStr, prefix: str) -> Self:
        """``prefix`` begins every key: the user in the URL reaches no others."""
        return cls(url.get_secret_value(), prefix)

    async def take(self, buckets: Sequence[Keyed]) -> Verdict:
        """Count one request against all of the buckets, or none. Raises CountersAway."""
        question = _Question(buckets, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return await question.answer

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        await self._client.aclose()

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                found = await _in_time(self._ask(batch), self._seconds)
            except (RedisError, OSError, TimeoutError) as error:
                found = [error] * len(batch)
            for question, one in zip(batch, found, strict=True):
                _tell(question, one)

    async def _ask(self, batch: Sequence[_Question]) -> list[Any]:
        """An answer, or an error, for each."""
        if self._digest:
            found = await self._run(batch)
            if not any(isinstance(one, NoScriptError) for one in found):
                return found
        self._digest = await self._client.script_load(
            SCRIPT
        )  # first time, or it was restarted and has forgotten
        return await self._run(batch)

    async def _run(self, batch: Sequence[_Question]) -> list[Any]:
        trip = self._client.pipeline(transaction=False)
        for question in batch:
            keys = [f"{self._prefix}{bucket.key}" for bucket in question.buckets]
            sizes = [
                str(size)
                for bucket in question.buckets
                for size in (bucket.share.interval, bucket.share.burst)
            ]
            trip.evalsha(self._digest, len(keys), *keys, *sizes)
        found: list[Any] = await trip.execute(raise_on_error=False)
        return found


async def _in_time(trip: Coroutine[Any, Any, list[Any]], seconds: float) -> list[Any]:
    """What the trip brings. Raises TimeoutError after that many seconds in which this process ran."""
    under_way = asyncio.create_task(trip)
    try:
        for _ in range(LOOKS):
            await asyncio.wait((under_way,), timeout=seconds / LOOKS)
            if under_way.done():
                return under_way.result()
        raise TimeoutError
    finally:
        under_way.cancel()


def _tell(question: _Question, found: Any) -> None:
    if question.answer.done():  # whoever asked waits no longer
        return
    if isinstance(found, Exception):
        question.answer.set_exception(CountersAway(type(found).__name__))
        return
    admitted, now, *full_at = found
    shares = [bucket.share for bucket in question.buckets]
    question.answer.set_result(verdict(bool(admitted), [int(at) for at in full_at], int(now), shares))
