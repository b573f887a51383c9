"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) as PostgreSQL keeps them.

The verifier is computed here, so that a password in clear text never reaches PostgreSQL's log or statistics.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

ITERATIONS = 4096
_FORM = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")


def new_password() -> str:
    """A password of 192 bits that needs no quoting in a URL."""
    return secrets.token_urlsafe(24)


def verifier(password: str) -> str:
    """What PostgreSQL stores for ``password`` (ASCII, so SASLprep changes nothing)."""
    return _verifier(password, secrets.token_bytes(16), ITERATIONS)


def matches(stored: str, password: str) -> bool:
    """Whether ``stored`` is a verifier of ``password``."""
    found = _FORM.fullmatch(stored)
    if found is None:
        return False
    expected = _verifier(password, base64.b64decode(found[2]), int(found[1]))
    return hmac.compare_digest(expected, stored)


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
