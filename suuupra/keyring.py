"""The keys a service signs its messages with, and the one that others encrypt for it: made once, kept, published.

    keyring = Keyring(DatabaseVault(Database.of(settings), clock), sender="asha")
    signer = await keyring.signer()

The private keys are in a vault that outlives the process and that all replicas share: whoever asks first makes them.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from joserfc.jwk import ECKey
from sqlalchemy import text

from suuupra.clock import Clock
from suuupra.signatures import Signer, generate_key, public_jwks

if TYPE_CHECKING:
    from suuupra.db import Database

SIGNING: Final = "signing"
ENCRYPTION: Final = "encryption"
JWE_ALGORITHM: Final = "ECDH-ES"

_CREATE: Final = """
CREATE TABLE private_key (
    name    text        PRIMARY KEY,
    jwk     text        NOT NULL,
    made_at timestamptz NOT NULL
);
COMMENT ON TABLE private_key IS 'Keys of this participant (JWK). Only this service reads its database.';
"""
_FIND: Final = text("SELECT jwk FROM private_key WHERE name = :name")
_MAKE: Final = text(
    "INSERT INTO private_key (name, jwk, made_at) VALUES (:name, :jwk, :at) ON CONFLICT DO NOTHING"
)


class _Migrates(Protocol):
    def execute(self, sqltext: str) -> Any: ...


def create_table(op: _Migrates) -> None:
    """Make the table of a DatabaseVault, in a migration. What it makes never changes."""
    op.execute(_CREATE)


class Vault(Protocol):
    """Where private keys are kept."""

    async def ensure(self, name: str, make: Callable[[], str]) -> str:
        """The key of that name; of several who make it at once, everybody gets the first one's."""


class DatabaseVault:
    """Keys in a table of the service's own database."""

    def __init__(self, database: "Database", clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ensure(self, name: str, make: Callable[[], str]) -> str:
        """See Vault."""
        async with self._database.transaction() as tx:
            kept: str | None = await tx.scalar(_FIND, {"name": name})
            if kept is None:
                now: datetime = self._clock.now()
                await tx.execute(_MAKE, {"name": name, "jwk": make(), "at": now})
                kept = str(await tx.scalar(_FIND, {"name": name}))
            return kept


class Keyring:
    """The keys of one participant. Nothing is read before it is needed; then it is kept in memory."""

    def __init__(self, vault: Vault, sender: str) -> None:
        self.sender = sender
        self._vault = vault
        self._keys: dict[str, ECKey] = {}

    async def signer(self) -> Signer:
        """What signs this participant's messages."""
        return Signer(await self._key(SIGNING, generate_key), self.sender)

    async def jwks(self) -> dict[str, Any]:
        """The public half of what signs, as a JSON Web Key Set."""
        return public_jwks([await self._key(SIGNING, generate_key)])

    async def encryption(self) -> ECKey:
        """The key pair whose public half others encrypt with (ECDH-ES)."""
        return await self._key(ENCRYPTION, _encryption_key)

    async def _key(self, name: str, make: Callable[[], ECKey]) -> ECKey:
        if name not in self._keys:
            kept = await self._vault.ensure(name, lambda: json.dumps(make().as_dict(private=True)))
            self._keys[name] = ECKey.import_key(json.loads(kept))
        return self._keys[name]


def _encryption_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "enc", "alg": JWE_ALGORITHM}, auto_kid=True)
