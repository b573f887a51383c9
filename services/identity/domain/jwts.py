"""JSON Web Tokens as they are signed here, and as they are believed when they come back."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry
from joserfc.registry import JWS_HEADER_REGISTRY

from services.identity.domain.keys import ALGORITHM, SigningKey
from suuupra.tokens import MAX_BYTES

ACCESS: Final = "at+jwt"
"""The type of access tokens (RFC 9068, 2.1)."""
ID: Final = "JWT"


class NotOurs(Exception):
    """It was not signed here, or is not of the type that was asked for."""


class _Headers(JWSRegistry):
    """Header members that are tolerated: none that brings a key, no `crit`."""

    max_payload_length = MAX_BYTES

    def __init__(self) -> None:
        super().__init__(algorithms=[ALGORITHM], strict_check_header=True)
        self.header_registry = {name: JWS_HEADER_REGISTRY[name] for name in ("alg", "kid", "typ")}


_HEADERS: Final = _Headers()


def sign(key: SigningKey, claims: Mapping[str, Any], kind: str) -> str:
    """A signed token of type `kind`."""
    header = {"alg": ALGORITHM, "typ": kind, "kid": key.kid}
    return jwt.encode(header, dict(claims), key.key, [ALGORITHM])


def read(token: str, find: Callable[[str], SigningKey | None], kind: str) -> dict[str, Any]:
    """The claims of a token that we signed; its times are for the caller to judge. Raises NotOurs."""
    if len(token) > MAX_BYTES:
        raise NotOurs("it is too long")

    def key_of(signature: object) -> Key:
        header = signature.headers() if isinstance(signature, CompactSignature) else {}
        found = find(str(header.get("kid", "")))
        if found is None or header.get("alg") != ALGORITHM:
            raise NotOurs("it is signed with a key that is not ours")
        return found.key

    try:
        decoded = jwt.decode(token, key_of, [ALGORITHM], _HEADERS)
        _HEADERS.check_header(decoded.header)
    # The header is anybody's JSON: joserfc expects an object and meets text, numbers and depths too.
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NotOurs("it cannot be read") from error
    if decoded.header.get("typ") != kind:
        raise NotOurs("it is a token of another type")
    return dict(decoded.claims)


def half_hash(text: str) -> str:
    """`at_hash` for a signature with SHA-256 (OpenID Connect Core, 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()
