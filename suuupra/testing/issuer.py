"""An issuer in a test's own hands: one key, and tokens of the form that services accept from any issuer (RFC 9068)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey

from suuupra.clock import Clock, SystemClock
from suuupra.ids import new_id

ISSUER: Final = "http://localhost:8080"
AUDIENCE: Final = "suuupra"
CLIENT: Final = "test"
"""The OAuth client that its tokens were issued to."""

SCOPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "learner": (),
        "creator": ("commerce:write", "content:write"),
        "support": ("orders:read", "platform:read"),
        "finance": ("ledger:read", "orders:read", "orders:refund", "payments:refund"),
        "operator": (
            "commerce:write",
            "content:write",
            "ledger:read",
            "ledger:write",
            "orders:read",
            "orders:refund",
            "payments:refund",
            "payments:webhooks",
            "platform:read",
        ),
    }
)
"""Role → the scopes its tokens carry, as identity gives them."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A signing key with the issuer and audience it signs for."""

    issuer: str
    audience: str
    key: ECKey

    @classmethod
    def new(cls, issuer: str = ISSUER, audience: str = AUDIENCE) -> Issuer:
        """One with a key of its own."""
        return cls(issuer, audience, ECKey.generate_key("P-256", auto_kid=True))

    def jwks(self) -> dict[str, Any]:
        """The public half as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [self.key.as_dict(private=False, use="sig", alg="ES256")]}

    def mint(
        self,
        role: str,
        subject: str | None = None,
        ttl: timedelta = timedelta(hours=1),
        clock: Clock | None = None,
        scopes: Sequence[str] | None = None,
    ) -> str:
        """An access token for `role`, valid for `ttl`, as `subject` or `some-<role>`; with all that the role may have
        of scopes, or with fewer."""
        now = int((clock or SystemClock()).now().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject or f"some-{role}",
            "client_id": CLIENT,
            "iat": now,
            "nbf": now,
            "exp": now + int(ttl.total_seconds()),
            "jti": str(new_id()),
            "scope": " ".join(SCOPES[role] if scopes is None else scopes),
            "roles": [role],
        }
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid}, claims, self.key)
