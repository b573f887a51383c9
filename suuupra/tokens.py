"""Judging access tokens: JWTs by the profile of RFC 9068, verified with the issuer's keys and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import BadSignatureError, ExpiredTokenError, JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry
from joserfc.registry import JWS_HEADER_REGISTRY

from suuupra import fields
from suuupra.clock import Clock
from suuupra.jwks import Keys

ALGORITHMS: Final = ("ES256", "Ed25519", "RS256")
"""Signatures that are accepted. EdDSA goes by its fully specified name (RFC 9864); no symmetric one is here."""
MAX_BYTES: Final = 8192
"""Longest token, in bytes: what fits into the gateway's header limit."""
LEEWAY_SECONDS: Final = 30
"""How far the issuer's clock may differ from ours."""
TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_CACHE_ENTRIES: Final = 2048
_CACHE_SECONDS: Final = 60.0
"""How long a verified token is taken as verified: the time a withdrawn key may outlive its withdrawal."""


class InvalidToken(Exception):
    """The token is not accepted. The text says why in words that help an honest caller and no other."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the subject of an accepted token, with what it may do."""

    subject: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    organisation: str | None = None


class _Headers(JWSRegistry):
    """Header members that are tolerated. Members that bring a key (jwk, jku, x5u, x5c) or `crit` refuse the token."""

    max_header_length = 1024
    max_payload_length = MAX_BYTES

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=True)
        self.header_registry = {
            name: JWS_HEADER_REGISTRY[name] for name in ("alg", "kid", "typ", "cty", "x5t", "x5t#S256")
        }


class Verifier:
    """Turns an access token into a Principal, or raises InvalidToken (or jwks.KeysUnavailable)."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._headers = _Headers()
        self._claims = JWTClaimsRegistry(
            now=self._seconds,
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._verified: dict[str, tuple[Principal, float]] = {}

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())

    async def verify(self, token: str) -> Principal:
        """The token's principal."""
        remembered = self._remembered(token)
        if remembered is not None:
            return remembered
        claims = await self._checked_claims(token)
        principal = _principal(claims)
        self._remember(token, principal, claims["exp"] + LEEWAY_SECONDS - self._seconds())
        return principal

    async def _checked_claims(self, token: str) -> Mapping[str, Any]:
        signature = self._parse(token)
        await self._check_signature(signature)
        claims = _load_claims(signature.payload)
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise InvalidToken("the token has expired") from None
        except JoseError as error:
            raise InvalidToken(f"a claim is not accepted: {error.description or error.error}") from error
        return claims

    def _parse(self, token: str) -> CompactSignature:
        if len(token) > MAX_BYTES:
            raise InvalidToken(f"the token has more than {MAX_BYTES} bytes")
        try:
            signature = extract_compact(token.encode("ascii"), registry=self._headers)
            header = signature.headers()
            self._headers.check_header(header)
        # The header is still anybody's JSON here: joserfc expects an object, and meets text, numbers and lists too.
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise InvalidToken("it is not a JSON Web Token of the accepted form") from error
        if header.get("typ", "").lower() not in TYPES:
            raise InvalidToken("it is not an access token (typ at+jwt)")
        return signature

    async def _check_signature(self, signature: CompactSignature) -> None:
        header = signature.headers()
        if header["alg"] not in ALGORITHMS:
            raise InvalidToken("its signature algorithm is not accepted")
        key = await self._keys.find(header.get("kid", ""))
        if key is None or key.alg not in (None, header["alg"]):
            raise InvalidToken("it is signed with a key that the issuer does not publish")
        try:
            genuine = validate_compact(signature, key, registry=self._headers)
        except (BadSignatureError, JoseError, ValueError):
            genuine = False
        if not genuine:
            raise InvalidToken("its signature is wrong")

    def _remembered(self, token: str) -> Principal | None:
        entry = self._verified.get(token)
        if entry is None:
            return None
        principal, until = entry
        if self._clock.monotonic() < until:
            return principal
        del self._verified[token]
        return None

    def _remember(self, token: str, principal: Principal, seconds_left: float) -> None:
        if len(self._verified) >= _CACHE_ENTRIES:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = (principal, self._clock.monotonic() + min(seconds_left, _CACHE_SECONDS))


def _load_claims(payload: bytes | None) -> dict[str, Any]:
    try:
        claims = json.loads(payload or b"")
    except (ValueError, RecursionError) as error:
        raise InvalidToken("its claims are not JSON") from error
    if not isinstance(claims, dict):
        raise InvalidToken("its claims are not a JSON object")
    return claims


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject, scope, organisation = claims["sub"], claims.get("scope", ""), claims.get("org")
    roles = claims.get("roles", [])
    if not subject or not all(_plain(text) for text in (subject, scope, organisation or "")):
        raise InvalidToken("sub, scope or org is not plain text")
    if not isinstance(roles, list) or not all(_plain(role) for role in roles):
        raise InvalidToken("roles is not a list of plain texts")
    return Principal(subject, frozenset(roles), frozenset(scope.split()), organisation)


def _plain(value: object) -> bool:
    """Whether it is text of one line. Even a true issuer may pass on a subject that no table could hold."""
    if not isinstance(value, str):
        return False
    try:
        fields.on_one_line(value)
    except ValueError:
        return False
    return True
