"""Messages between participants that are signed one by one: who says it, where, when, and every byte of it.

    headers = Signer(key, "asha").sign("POST", "/internal/v1/upi/RespPay", body, clock.now())
    sender = await Verifier(find_key).verify("POST", path, body, request.headers, clock.now())

The signature is a detached JSON Web Signature (RFC 7515, appendix F) with ES256, over method, path, sender, time and
the SHA-256 of the body, each on a line of its own, which none of them can hold. A message that was kept is refused
after `MAX_SKEW`; within it the receiver knows it by its message id.
"""

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key
from joserfc.jws import JWSRegistry, deserialize_compact, serialize_compact
from joserfc.registry import JWS_HEADER_REGISTRY

from suuupra.errors import FieldError, Unauthenticated

ALGORITHM: Final = "ES256"
TYPE: Final = "message+jws"
"""`typ` of the protected header, so that no other signature of the same key passes for one of a message."""
TEXT_TYPE: Final = "text+jws"
MAX_SKEW: Final = timedelta(seconds=120)
"""How far the sender's time may be from ours, to both sides."""
SENDER: Final = "message-sender"
TIME: Final = "message-time"
SIGNATURE: Final = "message-signature"
LONGEST: Final = 1024
"""Characters of a signature header that are worth parsing."""

FindKey = Callable[[str, str], Awaitable[Key | None]]
"""(sender, kid) → the sender's public key of that id, or None."""

_SENDER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TIME: Final = re.compile(r"[0-9]{1,12}")
"""Seconds since 1970; the longest is in no year that `datetime` has."""


class BadSignature(Unauthenticated):
    """The message is not accepted. Nothing of it was believed."""

    slug, title = "bad-signature", "The message's signature is not accepted"

    def __init__(self, rule: str) -> None:
        error = FieldError("header.Message-Signature", rule, "sign the message as suuupra.signatures does")
        super().__init__(f"The signature {rule}.", errors=[error], challenge="Signature")


class _Headers(JWSRegistry):
    """Members of the protected header that are known; those that bring a key, or `crit`, refuse it."""

    max_header_length = 512
    max_payload_length = 1 << 20

    def __init__(self) -> None:
        super().__init__(algorithms=[ALGORITHM], strict_check_header=True)
        self.header_registry = {name: JWS_HEADER_REGISTRY[name] for name in ("alg", "kid", "typ")}


_HEADERS: Final = _Headers()


def generate_key() -> ECKey:
    """A new key to sign with (P-256), with its id (RFC 7638)."""
    return ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)


def public_jwks(keys: Iterable[Key]) -> dict[str, Any]:
    """What others verify with: the public halves as a JSON Web Key Set."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


class Signer:
    """Signs what one sender says."""

    def __init__(self, key: Key, sender: str) -> None:
        if not _SENDER.fullmatch(sender):
            raise ValueError("a sender is 1 to 64 letters, digits, points, dashes and underscores")
        self.key = key
        self.sender = sender

    def sign(self, method: str, path: str, body: bytes, at: datetime) -> dict[str, str]:
        """The headers to send with the message."""
        time = str(int(at.timestamp()))
        payload = _payload(method, path, self.sender, time, body)
        return {SENDER: self.sender, TIME: time, SIGNATURE: _sign(self.key, TYPE, payload)}


class Verifier:
    """Judges who says something, by the senders' published keys."""

    def __init__(self, find_key: FindKey, max_skew: timedelta = MAX_SKEW) -> None:
        self._find_key = find_key
        self._max_skew = max_skew

    async def verify(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> str:
        """The sender of a genuine message. Raises BadSignature. `headers` has lower-case names or ignores case."""
        sender, time, signature = (headers.get(name, "") for name in (SENDER, TIME, SIGNATURE))
        if not (_SENDER.fullmatch(sender) and _TIME.fullmatch(time) and 0 < len(signature) <= LONGEST):
            raise BadSignature(f"must come with the headers {SENDER}, {TIME} and {SIGNATURE}")
        if abs(now.timestamp() - int(time)) > self._max_skew.total_seconds():
            raise BadSignature(f"must not be older than {self._max_skew.total_seconds():g} s")
        key = await self._find_key(sender, _kid(signature))
        if key is None or not _genuine(key, TYPE, _payload(method, path, sender, time, body), signature):
            raise BadSignature("must be by a key that its sender has registered")
        return sender


def sign_text(key: Key, text: str) -> str:
    """A detached signature of a text, for example of a link."""
    return _sign(key, TEXT_TYPE, text.encode())


def verify_text(keys: Mapping[str, Key], text: str, signature: str) -> bool:
    """Whether one of `keys` (by key id) made `signature` of exactly this text."""
    if not 0 < len(signature) <= LONGEST:
        return False
    try:
        key = keys.get(_kid(signature))
    except BadSignature:
        return False
    return key is not None and _genuine(key, TEXT_TYPE, text.encode(), signature)


def _payload(method: str, path: str, sender: str, time: str, body: bytes) -> bytes:
    if "\n" in method or "\n" in path:
        raise BadSignature("must be of a method and a path without line breaks")
    return "\n".join((method.upper(), path, sender, time, hashlib.sha256(body).hexdigest())).encode()


def _sign(key: Key, typ: str, payload: bytes) -> str:
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": typ}
    compact = serialize_compact(header, payload, key, registry=_HEADERS)
    protected, _, signature = compact.split(".")
    return f"{protected}..{signature}"


def _kid(signature: str) -> str:
    """The key id that a signature names. It is still anybody's text: it only says which key to try."""
    return str(_protected(signature).get("kid", ""))


def _protected(signature: str) -> Mapping[str, Any]:
    protected, gap, _ = signature.partition("..")
    try:
        header = json.loads(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
    except (ValueError, TypeError):
        header = None
    if not gap or not isinstance(header, dict):
        raise BadSignature("must be a detached JSON Web Signature")
    return header


def _encoded(payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def _genuine(key: Key, typ: str, payload: bytes, signature: str) -> bool:
    protected, _, tail = signature.partition("..")
    compact = f"{protected}.{_encoded(payload)}.{tail}"
    try:
        verified = deserialize_compact(compact, key, registry=_HEADERS)
    except (JoseError, ValueError, TypeError, AttributeError):
        return False
    return verified.headers().get("typ") == typ
