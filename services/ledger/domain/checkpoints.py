"""Checkpoints: the head of the chain, signed. What is signed, and how it is read back.

A checkpoint is a JWS (RFC 7515, compact, ES256) whose payload is canonical JSON. Whoever holds one can tell later
whether the ledger still begins with the journals that it had then; so it is kept where the database's administrator
cannot reach it, and may be given to auditors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from services.ledger.domain.canonical import canonical
from services.ledger.domain.merkle import SIZE
from services.ledger.domain.sealing import moment

TYPE: Final = "ledger-checkpoint+jws"
ALGORITHM: Final = "ES256"
PREFIX: Final = "checkpoints/"


class BadCheckpoint(ValueError):
    """It was not signed by us, or is no checkpoint; the text says which."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A head that somebody signed: `size` journals, the chain's hash, the root of the tree."""

    size: int
    hash: bytes
    root: bytes
    at: datetime
    origin: str
    key_id: str
    text: str
    """The JWS."""


def object_key(size: int) -> str:
    """Where a checkpoint is kept; names sort by size."""
    return f"{PREFIX}{size:020d}.jws"


def sign(size: int, hash_: bytes, root: bytes, at: datetime, origin: str, key: ECKey) -> Signed:
    """Sign a head. `origin` says whose it is: the public address of the platform."""
    payload = {
        "at": moment(at),
        "hash": hash_.hex(),
        "origin": origin,
        "root": root.hex(),
        "size": str(size),
    }
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
    text = jws.serialize_compact(header, canonical(payload), key, algorithms=[ALGORITHM])
    return Signed(size, hash_, root, at, origin, str(key.kid), text)


def read(text: str, keys: Mapping[str, ECKey]) -> Signed:
    """What a JWS says, when one of `keys` signed it. Raises BadCheckpoint."""
    try:
        unverified = jws.extract_compact(text.strip().encode("ascii"))
        header = unverified.headers()
        key = keys.get(str(header.get("kid")))
        if header.get("typ") != TYPE or key is None:
            raise BadCheckpoint("it is not signed by a key of this ledger")
        verified = jws.deserialize_compact(text.strip(), key, algorithms=[ALGORITHM])
    except (JoseError, UnicodeEncodeError, AttributeError) as error:
        raise BadCheckpoint("its signature is wrong") from error
    return _parsed(verified.payload, str(key.kid), text.strip())


def _parsed(payload: bytes, key_id: str, text: str) -> Signed:
    try:
        said: dict[str, Any] = json.loads(payload)
        hash_, root = bytes.fromhex(said["hash"]), bytes.fromhex(said["root"])
        if len(hash_) != SIZE or len(root) != SIZE:
            raise ValueError("a hash has 32 bytes")
        at = datetime.fromisoformat(said["at"])
        return Signed(int(said["size"]), hash_, root, at, str(said["origin"]), key_id, text)
    except (ValueError, KeyError, TypeError) as error:
        raise BadCheckpoint("its payload is no checkpoint") from error
