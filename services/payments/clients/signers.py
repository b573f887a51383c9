"""By which rail's switch a message is signed: each switch signs with keys of its own."""

from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet

from services.payments.clients.switch import Switches
from services.payments.contract import RailRegistration
from services.payments.store import rails as store
from services.payments.store.tables import RailRow
from suuupra.db import Database

Known = dict[str, tuple[str, Key]]
"""Key id → its rail and the key, as this process has seen them. Whether it is still good is asked of the row."""


class SignedBy:
    """Finds the key that a message names, and remembers the rail it is of."""

    def __init__(self, db: Database, switches: Switches, known: Known) -> None:
        self._db = db
        self._switches = switches
        self._known = known
        self.rail: str | None = None
        self.kid = ""

    async def find(self, _sender: str, kid: str) -> Key | None:
        """The key of that id, of a rail that we take part in."""
        if kid not in self._known:
            await self._look(kid)
        if kid not in self._known:
            return None
        self.rail, key = self._known[kid]
        self.kid = kid
        return key

    async def _look(self, kid: str) -> None:
        async with self._db.reading() as tx:
            rows = await store.all_rails(tx, removed=True)  # one that is gone may still say how money ended
        for row in rows:
            if (key := _key(row.keys, kid)) is not None:
                self._known[kid] = (row.name, key)
                return
        for row in rows:
            await self._ask(row, kid)

    async def _ask(self, row: RailRow, kid: str) -> None:
        """A switch may sign with a key that it has only just published."""
        if row.registered_at is None:
            return
        found = await self._switches.keys(RailRegistration.model_validate(row.registration).url)
        if (key := _key(found, kid)) is None:
            return
        async with self._db.transaction() as tx:
            kept = await store.lock_rail(tx, row.name)
            if kept is not None:
                kept.keys = found
        self._known[kid] = (row.name, key)


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
