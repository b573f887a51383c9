"""The signing keys of the running process: read from the secret store, kept while it is away, renewed when old."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from joserfc.jwk import Key

from services.identity.domain import keys
from services.identity.domain.keys import Ring
from suuupra import logs
from suuupra.clock import Clock
from suuupra.errors import Unavailable
from suuupra.jwks import KeysUnavailable
from suuupra.secrets_store import Secret, SecretChanged

REFRESH_SECONDS: Final = 30.0
"""Age at which the keys in memory are read again; far less than the time a new key is published before it signs."""
PAUSE_SECONDS: Final = 1.0
"""Between two attempts while the store is away."""

_log = logs.get_logger(__name__)


class Vault(Protocol):
    """The part of suuupra.secrets_store.SecretsStore that is used."""

    async def read_versioned(self, path: str) -> Secret | None: ...
    async def write(self, path: str, data: Mapping[str, str], *, cas: int | None = None) -> int: ...


def path_of_keys(resource: str) -> str:
    """Where a resource keeps its signing keys."""
    return f"{resource}/signing-keys"


async def load(vault: Vault, path: str, now: datetime) -> tuple[Ring, int]:
    """The stored ring and its version; the first one is made where there is none. Raises SecretsUnavailable."""
    while True:
        found = await vault.read_versioned(path)
        if found is not None:
            return keys.load(found.data), found.version
        made = keys.first(now)
        try:
            return made, await vault.write(path, made.stored(), cas=0)
        except SecretChanged:
            continue  # another pod was first: its ring is the one


async def rotate(
    vault: Vault, path: str, now: datetime, *, at_once: bool = False, older_than: timedelta | None = None
) -> Ring:
    """Add a new key and return the ring; with `older_than` only if the newest key has that age. Raises SecretsUnavailable."""
    while True:
        ring, version = await load(vault, path, now)
        if older_than is not None and not ring.due(now, older_than):
            return ring
        renewed = ring.rotated(now, at_once=at_once)
        try:
            await vault.write(path, renewed.stored(), cas=version)
        except SecretChanged:
            continue
        _log.info(
            "signing keys rotated", kid=renewed.keys[-1].kid, signs_from=str(renewed.keys[-1].signs_from)
        )
        return renewed


class KeyRing:
    """The keys as a resource, and as `suuupra.jwks.Keys`: identity judges tokens with what it publishes."""

    name = "signing-keys"

    def __init__(self, vault: Vault, resource: str, clock: Clock, *, life: timedelta) -> None:
        self._vault = vault
        self._path = path_of_keys(resource)
        self._clock = clock
        self._life = life
        self._ring: Ring | None = None
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read them now, if the store answers; a pod may start before it."""
        await self._refreshed()

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def check(self) -> None:
        """Raise Unavailable until the keys were read once; afterwards the store may be away."""
        await self.current()

    async def current(self) -> Ring:
        """The keys. Raises Unavailable when they were never read."""
        if self._ring is None:
            await self._refreshed()
        elif self._clock.monotonic() - self._read_at >= REFRESH_SECONDS:
            self._refresh()  # nobody waits: what is in hand is good for longer than that
        if self._ring is None:
            raise Unavailable("The signing keys cannot be read right now.", headers={"Retry-After": "1"})
        return self._ring

    async def find(self, kid: str) -> Key | None:
        """The public key that judges a token (suuupra.jwks.Keys)."""
        try:
            ring = await self.current()
        except Unavailable as error:
            raise KeysUnavailable(str(error)) from error
        found = ring.find(kid, self._clock.now())
        return found.key if found else None

    async def _refreshed(self) -> None:
        task = self._refresh()
        if task is not None:
            await asyncio.shield(task)

    def _refresh(self) -> asyncio.Task[None] | None:
        """The reading under way, a new one, or None when the last try was too short a time ago."""
        if self._reading is not None and not self._reading.done():
            return self._reading
        if self._clock.monotonic() - self._tried_at < PAUSE_SECONDS:
            return None
        self._tried_at = self._clock.monotonic()
        self._reading = asyncio.create_task(self._read(), name="signing keys")
        return self._reading

    async def _read(self) -> None:
        try:
            self._ring = await rotate(self._vault, self._path, self._clock.now(), older_than=self._life)
        except (Unavailable, ValueError) as error:
            _log.warning("the signing keys could not be read", error=str(error))
        else:
            self._read_at = self._clock.monotonic()
