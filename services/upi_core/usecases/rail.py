"""What every use case of the switch needs at hand, and the rail's participants kept in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from joserfc.jwk import Key

from services.upi_core.contract import Api, Message, path_of
from services.upi_core.domain.rulebook import Rulebook
from services.upi_core.domain.writing import body
from services.upi_core.store import participants
from services.upi_core.store.participants import Participant
from suuupra import jwks
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.keyring import Keyring
from suuupra.messages import Messenger

PHONE: Final = "PHONE"
"""The payer's PSP that is part of the switch: the page that plays a phone. It needs no messages."""
KEPT_SECONDS: Final = 5.0
"""How long what is known of participants is taken for true: how late another process notices a change."""


class Directory:
    """The participants, read from the database at most every few seconds. A resource of the application."""

    name = "directory"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Mapping[str, Participant] = {}
        self._keys: Mapping[str, Mapping[str, Key]] = {}
        self._read_at = float("-inf")

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self) -> None:
        """What it reads from is checked by itself."""

    def drop(self) -> None:
        """Read anew when asked next."""
        self._read_at = float("-inf")

    async def participant(self, code: str) -> Participant | None:
        """Who takes part under that code now."""
        await self._fresh()
        found = self._known.get(code)
        return found if found is not None and found.active else None

    async def url(self, code: str) -> str | None:
        found = await self.participant(code)
        return None if found is None else found.url

    async def bank_of(self, handle: str) -> Participant | None:
        """Who answers for all addresses of a handle."""
        await self._fresh()
        return next((one for one in self._known.values() if one.active and one.handle == handle), None)

    async def key(self, sender: str, kid: str) -> Key | None:
        """A key that a participant has registered."""
        found = await self.participant(sender)
        return None if found is None else self._keys[sender].get(kid)

    async def keys(self, sender: str) -> Mapping[str, Key]:
        """All keys that a participant has registered, by id."""
        found = await self.participant(sender)
        return {} if found is None else self._keys[sender]

    async def _fresh(self) -> None:
        if self._clock.monotonic() - self._read_at < KEPT_SECONDS:
            return
        async with self._database.reading() as tx:
            everyone = await participants.everyone(tx)
        self._known = {one.code: one for one in everyone}
        self._keys = {one.code: jwks.parse(json.dumps(one.jwks)) for one in everyone}
        self._read_at = self._clock.monotonic()


@dataclass(frozen=True, slots=True)
class Rail:
    """The switch's means."""

    messenger: Messenger
    keyring: Keyring
    directory: Directory
    rules: Rulebook
    clock: Clock

    async def post(
        self,
        tx: Transaction,
        recipient: str,
        api: Api,
        message: Message,
        *,
        expires_at: datetime | None = None,
    ) -> UUID:
        """Tell a participant something once `tx` has committed; the message's id."""
        message_id: UUID = message.head.msg_id  # type: ignore[attr-defined]  # every message in MESSAGES has a head
        await self.messenger.post(
            tx, message_id, recipient, path_of(api), body(message), expires_at=expires_at
        )
        return message_id
