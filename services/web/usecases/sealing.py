"""Tokens at rest: encrypted under a key that is made from the cookie, which is not stored.

Whoever reads the table, or a backup of it, holds nothing that any service would accept.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from services.web.domain.sessions import Tokens

_HEADER = {"alg": "dir", "enc": "A256GCM"}
SECRET_BYTES = 32


class Unreadable(Exception):
    """What is stored was not sealed by the cookie that asks for it."""


def new_secret() -> str:
    """What a cookie says: 256 random bits."""
    return secrets.token_urlsafe(SECRET_BYTES)


def name_of(secret: str) -> bytes:
    """What a row is found by: 32 bytes that do not lead back to the secret."""
    return hashlib.sha256(b"suuupra web row\n" + secret.encode("utf-8", "surrogatepass")).digest()


def seal(tokens: Tokens, secret: str) -> str:
    """The tokens as a compact JWE."""
    plain = {"a": tokens.access, "r": tokens.refresh, "u": tokens.expires_at.isoformat()}
    return jwe.encrypt_compact(_HEADER, json.dumps(plain).encode(), _key(secret))


def unseal(sealed: str, secret: str) -> Tokens:
    """The tokens, or Unreadable."""
    try:
        plain = json.loads(jwe.decrypt_compact(sealed, _key(secret)).plaintext or b"")
        return Tokens(plain["a"], plain["r"], datetime.fromisoformat(plain["u"]))
    except (JoseError, ValueError, KeyError) as error:
        raise Unreadable("the stored tokens cannot be read") from error


def _key(secret: str) -> OctKey:
    return OctKey.import_key(hashlib.sha256(b"suuupra web key\n" + secret.encode()).digest())
