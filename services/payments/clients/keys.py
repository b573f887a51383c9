"""Our own keys: the one we sign messages and links with, and the one that webhook secrets are sealed with.

They are made once, by whichever process comes first, and kept in OpenBao below `payments/`; every pod reads them once
and keeps them. Outside a cluster they may come as JSON: `{"signing": {JWK, P-256}, "sealing": "base64url of 32 bytes"}`.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from pydantic import SecretStr

from suuupra.secrets_store import MUST_EXIST_NOT, SecretChanged, SecretsOfService, SecretsStore
from suuupra.signatures import generate_key

PATH: Final = "payments/keys"
_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}


class KeysOfService(SecretsOfService, Protocol):
    """What is read of the settings."""

    @property
    def keys(self) -> SecretStr | None: ...


class SealBroken(ValueError):
    """What was sealed was sealed with another key, or changed."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys."""

    signing: ECKey
    sealing: OctKey

    def seal(self, text: str) -> str:
        """`text`, encrypted (JWE compact, dir, A256GCM)."""
        return jwe.encrypt_compact(_HEADER, text.encode(), self.sealing)

    def unseal(self, sealed: str) -> str:
        """What `seal` was given. Raises SealBroken."""
        try:
            plain = jwe.decrypt_compact(sealed, self.sealing).plaintext
        except (JoseError, ValueError) as error:
            raise SealBroken("a sealed value cannot be opened with our key") from error
        return (plain or b"").decode()


def new_ring() -> KeyRing:
    """Keys that were never used."""
    return KeyRing(generate_key(), OctKey.import_key(secrets.token_bytes(32)))


def text_of(ring: KeyRing) -> dict[str, str]:
    """The keys as they are kept."""
    sealing = base64.urlsafe_b64encode(ring.sealing.raw_value).decode()
    return {"signing": json.dumps(ring.signing.as_dict(private=True)), "sealing": sealing}


def ring_of(kept: dict[str, Any]) -> KeyRing:
    """The keys from how they are kept."""
    signing = kept["signing"]
    key = ECKey.import_key(json.loads(signing) if isinstance(signing, str) else signing)
    return KeyRing(key, OctKey.import_key(base64.urlsafe_b64decode(kept["sealing"])))


class Keys:
    """The resource that has the keys."""

    name = "keys"

    def __init__(self, store: SecretsStore | None, ring: KeyRing | None = None) -> None:
        self._store = store
        self._ring = ring

    @classmethod
    def of(cls, settings: KeysOfService) -> Self:
        """Inline, or from OpenBao."""
        if settings.keys is not None:
            return cls(None, ring_of(json.loads(settings.keys.get_secret_value())))
        return cls(SecretsStore.of(settings))

    async def open(self) -> None:
        """Nothing: the first use reads them."""

    async def close(self) -> None:
        """Let go of OpenBao."""
        if self._store is not None:
            await self._store.close()

    async def check(self) -> None:
        """Raise SecretsUnavailable until they have been read once."""
        await self.ring()

    async def ring(self) -> KeyRing:
        """The keys. Raises SecretsUnavailable while they were never read and OpenBao is away."""
        if self._ring is None:
            self._ring = await self._read()
        return self._ring

    async def _read(self) -> KeyRing:
        if self._store is None:
            raise LookupError("keys come inline or from a store")
        kept = await self._store.read(PATH)
        if kept is None:
            kept = await self._make(self._store)
        return ring_of(kept)

    async def _make(self, store: SecretsStore) -> dict[str, str]:
        """Make them, unless another process has meanwhile."""
        made = text_of(new_ring())
        try:
            await store.write(PATH, made, cas=MUST_EXIST_NOT)
        except SecretChanged:
            return await store.read(PATH) or made
        return made
