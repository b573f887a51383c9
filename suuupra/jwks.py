"""The issuer's public keys: given with the settings, or fetched from where they are published."""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from suuupra import logs
from suuupra.clock import Clock
from suuupra.trust import authorities

REFRESH_SECONDS = 300.0
"""Age in seconds at which fetched keys are read again, so that a withdrawn key stops being accepted."""
PAUSE_SECONDS = 5.0
"""Least time in seconds between two fetches: made-up key ids must not become requests to the issuer."""
FETCH_TIMEOUT_SECONDS = 2.0
LONGEST_DOCUMENT = 256 * 1024
"""Bytes of a key set that are worth parsing."""

_KINDS = frozenset({"EC", "OKP", "RSA"})

_log = logs.get_logger(__name__)


class KeysUnavailable(Exception):
    """No key was ever obtained, so no token can be judged."""


class InvalidKeys(ValueError):
    """Text that is not a set of public signature keys (RFC 7517)."""


class Keys(Protocol):
    """Where the key of a token is looked up."""

    async def find(self, kid: str) -> Key | None:
        """The public key with that id, or None when the issuer has none. Raises KeysUnavailable."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


def parse(text: str | bytes) -> dict[str, Key]:
    """Key id → public key, of every key that may verify signatures. Symmetric keys are never among them."""
    try:
        asymmetric = [key for key in json.loads(text)["keys"] if key["kty"] in _KINDS]
        keys = KeySet.import_key_set({"keys": asymmetric}).keys if asymmetric else []
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InvalidKeys('expected a JSON Web Key Set, {"keys": [{"kty": "EC", "kid": …}]}') from error
    usable = {
        key.kid: key for key in keys if key.kid and key.as_dict(private=False).get("use", "sig") == "sig"
    }
    if not usable:
        raise InvalidKeys("the key set holds no EC, OKP or RSA key with a kid and for signatures")
    return usable


class InlineKeys:
    """Keys that came with the settings and never change while the process runs."""

    def __init__(self, text: str) -> None:
        self._keys = parse(text)

    async def find(self, kid: str) -> Key | None:
        return self._keys.get(kid)

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class PublishedKeys:
    """Keys fetched over HTTP, kept while the issuer is away, and read again when a token names an unknown one."""

    def __init__(self, url: str, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=FETCH_TIMEOUT_SECONDS, verify=authorities(), transport=transport
        )
        self._keys: dict[str, Key] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._refreshed()

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._client.aclose()

    async def find(self, kid: str) -> Key | None:
        known = self._keys.get(kid)
        if known is None:
            await self._refreshed()
            known = self._keys.get(kid)
        elif self._age() >= REFRESH_SECONDS:
            self._refresh()  # nobody waits for it: the key in hand is good until the new set says otherwise
        if not self._keys:
            raise KeysUnavailable(f"no keys could be read from {self._url}")
        return known

    def _age(self) -> float:
        return self._clock.monotonic() - self._fetched_at

    async def _refreshed(self) -> None:
        task = self._refresh()
        if task is not None:
            await asyncio.shield(task)  # one caller that goes away must not take the answer from the others

    def _refresh(self) -> asyncio.Task[None] | None:
        """The fetch under way, a new one, or None when the last was too short a time ago."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._clock.monotonic() - self._tried_at < PAUSE_SECONDS:
            return None
        self._tried_at = self._clock.monotonic()
        self._fetching = asyncio.create_task(self._fetch(), name="jwks")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            response = await self._client.get(self._url, headers={"accept": "application/json"})
            response.raise_for_status()
            if len(response.content) > LONGEST_DOCUMENT:
                raise InvalidKeys(f"the key set has more than {LONGEST_DOCUMENT} bytes")
            self._keys = parse(response.content)
        except (httpx.HTTPError, InvalidKeys) as error:
            _log.warning("the issuer's keys could not be read", url=self._url, error=str(error))
        else:
            self._fetched_at = self._clock.monotonic()
