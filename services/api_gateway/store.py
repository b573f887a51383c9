"""Buckets that all gateways share, in Valkey: one timestamp per caller and route, gone when the bucket is full."""

from typing import Final, Self

import redis.asyncio as redis
from pydantic import SecretStr
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from services.api_gateway.domain.gcra import SCRIPT, Share, Verdict, verdict

CONNECTIONS: Final = 32
"""One process's, at most: what waits longer than `SECONDS` for one is let through."""
SECONDS: Final = 0.05
"""Longest time for one answer; Envoy waits twice as long."""


class CountersAway(Exception):
    """Valkey does not answer, or not in time."""


class Counters:
    """The buckets."""

    def __init__(self, url: str) -> None:
        pool: redis.BlockingConnectionPool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=SECONDS,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._client = redis.Redis(connection_pool=pool)
        self._digest = ""

    @classmethod
    def of(cls, url: SecretStr) -> Self:
        return cls(url.get_secret_value())

    async def take(self, key: str, share: Share) -> Verdict:
        """Count one request against a bucket. Raises CountersAway."""
        try:
            admitted, full_at, now = await self._run(key, share)
        except (RedisError, OSError, TimeoutError) as error:
            raise CountersAway(type(error).__name__) from error
        return verdict(bool(admitted), int(full_at), int(now), share)

    async def close(self) -> None:
        await self._client.aclose(close_connection_pool=True)

    async def _run(self, key: str, share: Share) -> tuple[int, bytes, bytes]:
        arguments = (1, key, str(share.interval), str(share.burst))
        if self._digest:
            try:
                found: tuple[int, bytes, bytes] = await self._client.evalsha(self._digest, *arguments)
                return found
            except NoScriptError:  # it was restarted, and has forgotten
                self._digest = ""
        self._digest = await self._client.script_load(SCRIPT)
        again: tuple[int, bytes, bytes] = await self._client.evalsha(self._digest, *arguments)
        return again
