"""PINs on their way: encrypted where they are entered, readable by the payer's bank alone.

A JWE (RFC 7516) with ECDH-ES and A256GCM for the bank's public key. The transaction and the amount are inside, so
that what was entered for one payment is worth nothing for another.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

_HEADER: Final = {"alg": "ECDH-ES", "enc": "A256GCM", "typ": "pin+jwe"}
_ALGORITHMS: Final = ["ECDH-ES", "A256GCM"]


class UnreadablePin(ValueError):
    """Not a PIN that was encrypted for this key."""


@dataclass(frozen=True, slots=True)
class EnteredPin:
    """What the payer entered, and for what. It never shows its PIN."""

    pin: str
    txn_id: str
    minor: int

    def __repr__(self) -> str:
        return f"EnteredPin(for {self.txn_id})"


def seal_pin(public: Mapping[str, Any], pin: str, txn_id: str, minor: int) -> str:
    """The PIN for one transaction and amount (paise), for the owner of that public key (JWK)."""
    payload = json.dumps({"pin": pin, "txn_id": txn_id, "minor": minor}).encode()
    key = ECKey.import_key(dict(public))
    return jwe.encrypt_compact({**_HEADER, "kid": key.kid}, payload, key, algorithms=_ALGORITHMS)


def without_pin(body: bytes) -> bytes:
    """What may be kept of a message that is over: all of it but the encrypted PIN."""
    if b'"credential"' not in body:
        return body
    message = json.loads(body)
    message.get("payer", {}).pop("credential", None)
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def open_pin(private: ECKey, data: str) -> EnteredPin:
    """What was sealed for this key. Raises UnreadablePin."""
    try:
        opened = jwe.decrypt_compact(data, private, algorithms=_ALGORITHMS)
        values = json.loads(opened.plaintext or b"")
        return EnteredPin(str(values["pin"]), str(values["txn_id"]), int(values["minor"]))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise UnreadablePin("the PIN cannot be read") from error
