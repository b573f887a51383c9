"""The keys of checkpoints, kept in OpenBao: one that signs, and the public halves of those that did before."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc.jwk import ECKey

from suuupra import logs
from suuupra.secrets_store import MUST_EXIST_NOT, SecretChanged, SecretsStore

CURVE: Final = "P-256"
_log = logs.get_logger(__name__)


class CheckpointKeys:
    """Read once and kept: OpenBao may be away afterwards. Made by whoever needs one first."""

    def __init__(self, secrets: SecretsStore, owner: str) -> None:
        self._secrets = secrets
        self._owner = owner
        self._path = f"{owner}/checkpoint-keys"
        self._signing: ECKey | None = None
        self._former: list[ECKey] = []
        self._reading = asyncio.Lock()

    async def signing(self) -> ECKey:
        """The private key that signs. Raises SecretsUnavailable."""
        async with self._reading:
            if self._signing is None:
                await self._load()
            assert self._signing is not None
            return self._signing

    async def verifying(self, *, anew: bool = False) -> Mapping[str, ECKey]:
        """Every key that ever signed, by its id. `anew`: also one that another process has made since."""
        if anew:
            return await CheckpointKeys(self._secrets, self._owner).verifying()
        signing = await self.signing()
        return {str(key.kid): key for key in (signing, *self._former)}

    async def published(self) -> list[dict[str, Any]]:
        """The public halves as JWKs, the present one first."""
        keys = (await self.verifying()).values()
        return [dict(key.as_dict(private=False, use="sig", alg="ES256")) for key in keys]

    async def rotate(self) -> str:
        """Sign with a new key from now on; checkpoints of the old ones stay good. Returns its id."""
        async with self._reading:
            await self._load()
            found = await self._secrets.read_versioned(self._path)
            assert self._signing is not None
            assert found is not None
            former = [self._signing, *self._former]
            made = _made()
            await self._secrets.write(self._path, _kept(made, former), cas=found.version)
            self._signing, self._former = made, former
        return str(made.kid)

    async def _load(self) -> None:
        found = await self._secrets.read(self._path)
        if found is None:
            try:
                await self._secrets.write(self._path, _kept(_made(), []), cas=MUST_EXIST_NOT)
                _log.info("checkpoint key made", path=self._path)
            except SecretChanged:
                _log.info("checkpoint key made by another process", path=self._path)
            found = await self._secrets.read(self._path) or {}
        self._signing = _key(json.loads(found["signing"]))
        self._former = [_key(kept) for kept in json.loads(found["former"])]


def _made() -> ECKey:
    return ECKey.generate_key(CURVE, auto_kid=True)


def _key(kept: dict[str, Any]) -> ECKey:
    return ECKey.import_key(kept)


def _kept(signing: ECKey, former: list[ECKey]) -> dict[str, str]:
    return {
        "signing": json.dumps({**signing.as_dict(private=True), "kid": signing.kid}),
        "former": json.dumps([{**key.as_dict(private=False), "kid": key.kid} for key in former]),
    }
