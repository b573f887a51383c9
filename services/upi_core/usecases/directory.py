"""The rail's participants, kept in memory: everybody asks, and one reads for all."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from joserfc.jwk import Key

from services.upi_core.store import participants
from services.upi_core.store.participants import Participant
from suuupra import jwks, logs
from suuupra.clock import Clock
from suuupra.db import Database

KEPT_SECONDS: Final = 5.0
"""How long what is known of participants is taken for true; then it is read anew while others go on with it."""
STALE_SECONDS: Final = 10.0
"""What is older is waited for: how late another process notices a change."""

_log = logs.get_logger(__name__)


class Directory:
    """The participants, read from the database at most every few seconds. A resource of the application.

    What is asked for with `await` sees first to it that it is `fresh`, which may need a connection: not for inside a
    transaction, which would wait for a second connection while it holds one. There the rest is asked, which only looks.
    """

    name = "directory"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Mapping[str, Participant] = {}
        self._keys: Mapping[str, Mapping[str, Key]] = {}
        self._read_at = float("-inf")
        self._changes = 0
        """How often it was dropped: a reading that had begun before may not have seen why."""
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Wait for who is reading."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def check(self) -> None:
        """What it reads from is checked by itself."""

    def drop(self) -> None:
        """Read anew when asked next: after a change has committed."""
        self._changes += 1
        self._read_at = float("-inf")

    def participant(self, code: str) -> Participant | None:
        """Who takes part under that code."""
        found = self._known.get(code)
        return found if found is not None and found.active else None

    def bank_of(self, handle: str) -> Participant | None:
        """Who answers for all addresses of a handle."""
        return next((one for one in self._known.values() if one.active and one.handle == handle), None)

    def keys(self, sender: str) -> Mapping[str, Key]:
        """All keys that a participant has registered, by id."""
        return {} if self.participant(sender) is None else self._keys[sender]

    async def url(self, code: str) -> str | None:
        """Where a participant is told something."""
        await self.fresh()
        found = self.participant(code)
        return None if found is None else found.url

    async def key(self, sender: str, kid: str) -> Key | None:
        """A key that a participant has registered."""
        await self.fresh()
        return self.keys(sender).get(kid)

    async def fresh(self) -> None:
        """Return when what is known is true. Raises DatabaseUnavailable when it was read too long ago."""
        while (age := self._clock.monotonic() - self._read_at) >= KEPT_SECONDS:
            reading = self._begin_to_read()
            if age < STALE_SECONDS:
                return
            await asyncio.shield(reading)

    def _begin_to_read(self) -> asyncio.Task[None]:
        """The one reading of all who ask meanwhile; what has ended is no longer one, whoever is told of that first."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="directory")
            self._reading.add_done_callback(self._has_read)
        return self._reading

    def _has_read(self, reading: asyncio.Task[None]) -> None:
        if self._reading is reading:
            self._reading = None
        if not reading.cancelled() and (error := reading.exception()) is not None:
            _log.info("participants not read", error=f"{type(error).__name__}: {error}")

    async def _read(self) -> None:
        began, changes = self._clock.monotonic(), self._changes
        async with self._database.reading() as tx:
            everyone = await participants.everyone(tx)
        self._known = {one.code: one for one in everyone}
        self._keys = {one.code: jwks.parse(json.dumps(one.jwks)) for one in everyone}
        if changes == self._changes:
            self._read_at = began
