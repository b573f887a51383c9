"""Valkey, thinly: the users of services, by its access control lists. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from suuupra_operator import metrics
from suuupra_operator.desired.keyspace import User, users
from suuupra_operator.errors import Permanent, Unreachable
from suuupra_operator.writes import Gate, Write

SERVER = "Valkey"
SECONDS = 5.0
"""Longest time for one answer."""
AT_ONCE = 500
"""Keys that are deleted in one go."""


@dataclass(frozen=True)
class Administrator:
    """Address and password of the user `default`."""

    host: str
    port: int
    password: str


class Valkey:
    """The platform's Valkey."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._account: Administrator | None = None
        self._client: Redis | None = None
        self._lock = asyncio.Lock()
        self.users: Mapping[str, User] | None = None
        """The last read; None while it does not answer."""
        self.problem = "not asked yet"

    @property
    def wanted(self) -> bool:
        """Whether the platform names one."""
        return self._account is not None

    async def configure(self, account: Administrator | None, missing: str = "") -> None:
        """Use this server from now on; ``missing`` says why there is none."""
        if account != self._account:
            await self.close()
            self._account, self.users, self.problem = account, None, "not asked yet"
        if account is None:
            self.problem = missing

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def refresh(self) -> bool:
        """Read all users; False, with `problem` saying why, when that cannot be done."""
        async with self._lock:
            if self._account is None:
                return False
            try:
                self.users, self.problem = await self._read(), ""
            except (Unreachable, Permanent) as error:
                self.users, self.problem = None, str(error)[:200]
        metrics.BACKEND_UP.labels("valkey").set(self.users is not None)
        return self.users is not None

    def known(self) -> Mapping[str, User]:
        """The last read, or Unreachable."""
        if self.users is None:
            raise Unreachable(SERVER, self.problem)
        return self.users

    async def put_user(self, name: str, user: User) -> None:
        """Make it exactly so, whatever it was; connections that it has stay."""
        async with self._lock:
            async with self._gate.external(Write.CACHE_USER_PUT):
                self._gate.check()
                await self._ask("ACL SETUSER", name, "reset", *user.words())
                await self._keep()
            self.users = await self._read()

    async def delete_user(self, name: str) -> None:
        """It and its connections end. Already gone is fine."""
        async with self._lock:
            async with self._gate.external(Write.CACHE_USER_DELETED):
                self._gate.check()
                await self._ask("ACL DELUSER", name)
                await self._keep()
            self.users = await self._read()

    async def delete_below(self, prefix: str) -> None:
        """Delete every key that begins so."""
        async with self._lock, self._gate.external(Write.CACHE_EMPTIED):
            async for keys in self._below(prefix):
                self._gate.check()
                await self._ask("UNLINK", *keys)

    async def _below(self, prefix: str) -> AsyncIterator[list[str]]:
        cursor = "0"
        while True:
            cursor, keys = await self._ask("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", AT_ONCE)
            if keys:
                yield keys
            if str(cursor) == "0":
                return

    async def _keep(self) -> None:
        """Have the users outlive a restart, where the server has a file for them; elsewhere the next read misses them."""
        async with self._told() as client:
            try:
                await client.execute_command("ACL SAVE")
            except ResponseError as error:
                if "ACL file" not in str(error):
                    raise

    async def _read(self) -> Mapping[str, User]:
        return users(await self._ask("ACL LIST"))

    async def _ask(self, *words: str | int) -> Any:
        async with self._told() as client:
            return await client.execute_command(*words)

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[Any]:
        """The client, whose commands its library does not type; a refusal is told apart from silence."""
        try:
            yield self._connected()
        except (AuthenticationError, NoPermissionError) as error:
            raise Permanent(f"Valkey refused the administrator: {error}"[:300]) from error
        except (RedisError, OSError, TimeoutError) as error:
            self.users, self.problem = None, str(error)[:200] or type(error).__name__
            raise Unreachable(SERVER, error) from error

    def _connected(self) -> Redis:
        if self._account is None:
            raise Unreachable(SERVER, self.problem)
        if self._client is None:
            self._client = Redis(
                host=self._account.host,
                port=self._account.port,
                password=self._account.password,
                socket_timeout=SECONDS,
                socket_connect_timeout=3,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                decode_responses=True,
            )
        return self._client
