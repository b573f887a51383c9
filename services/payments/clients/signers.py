"""By which rail's switch a message is signed: each switch signs with keys of its own."""

from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet

from services.payments.clients.switch import Switches
from services.payments.contract import RailRegistration
from services.payments.store import rails as store
from services.payments.store.tables import RailRow
from suuupra.clock import Clock
from suuupra.db import Database

PAUSE_SECONDS: Final = 5.0
"""Least time between two questions for a switch's keys: made-up key ids must not become requests to it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What this process has seen of switches' keys. Whether one is still good is asked of the row."""

    keys: dict[str, tuple[str, Key]] = field(default_factory=dict)
    """Key id → its rail and the key."""
    asked_at: dict[str, float] = field(default_factory=dict)
    """Rail → when its switch was asked for its keys, by the monotonic clock."""


class SignedBy:
    """Finds the key that a message names, and remembers the rail it is of."""

    def __init__(self, db: Database, switches: Switches, clock: Clock, known: Known) -> None:
        self._db = db
        self._switches = switches
        self._clock = clock
        self._known = known
        self.rail: str | None = None
        self.kid = ""

    async def find(self, _sender: str, kid: str) -> Key | None:
        """The key of that id, of a rail that we take part in."""
        if kid not in self._known.keys:
            await self._look(kid)
        if kid not in self._known.keys:
            return None
        self.rail, key = self._known.keys[kid]
        self.kid = kid
        return key

    async def _look(self, kid: str) -> None:
        async with self._db.reading() as tx:
            rows = await store.all_rails(tx, removed=True)  # one that is gone may still say how money ended
        for row in rows:
            if (key := _key(row.keys, kid)) is not None:
                self._known.keys[kid] = (row.name, key)
                return
        for row in rows:
            await self._ask(row, kid)

    async def _ask(self, row: RailRow, kid: str) -> None:
        """A switch may sign with a key that it has only just published; a message that comes too soon comes again."""
        now = self._clock.monotonic()
        if row.registered_at is None or now - self._known.asked_at.get(row.name, -inf) < PAUSE_SECONDS:
            return
        self._known.asked_at[row.name] = now
        found = await self._switches.keys(RailRegistration.model_validate(row.registration).url)
        if (key := _key(found, kid)) is None:
            return
        async with self._db.transaction() as tx:
            kept = await store.lock_rail(tx, row.name)
            if kept is not None:
                kept.keys = found
        self._known.keys[kid] = (row.name, key)


def publishes(jwks: dict[str, Any] | None, kid: str) -> bool:
    """Whether the switch's keys have one of that id."""
    return any(isinstance(key, dict) and key.get("kid") == kid for key in (jwks or {}).get("keys", ()))


def _key(jwks: dict[str, Any] | None, kid: str) -> Key | None:
    if not publishes(jwks, kid):
        return None
    try:
        keys = KeySet.import_key_set(jwks).keys  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return next((key for key in keys if key.kid == kid and isinstance(key, ECKey)), None)
