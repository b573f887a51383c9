"""A stand-in for identity on a developer's machine: one key in a file, and tokens made with it.

It exists only until the identity service does, and only where `make up` made its file. What it issues has the form
that services accept from any issuer (RFC 9068), so nothing of it is known to them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from suuupra.clock import Clock, SystemClock
from suuupra.ids import new_id

DEFAULT_PATH: Final = Path(".state/local-issuer.json")
DEFAULT_ISSUER: Final = "http://localhost:8080"
DEFAULT_AUDIENCE: Final = "suuupra"
LONGEST: Final = timedelta(days=1)

SCOPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "learner": (),
        "creator": ("content:write",),
        "support": ("platform:read",),
        "operator": ("content:write", "platform:read"),
    }
)
"""Role → the scopes its tokens carry."""


class IssuerError(Exception):
    """The issuer cannot do what was asked; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class LocalIssuer:
    """A signing key with the issuer and audience it signs for."""

    issuer: str
    audience: str
    key: ECKey

    def jwks(self) -> dict[str, Any]:
        """The public half as a JSON Web Key Set (RFC 7517): what a SuuupraPlatform's `auth.jwks` holds."""
        return {"keys": [self.key.as_dict(private=False, use="sig", alg="ES256")]}

    def mint(
        self,
        role: str,
        subject: str | None = None,
        ttl: timedelta = timedelta(hours=1),
        clock: Clock | None = None,
    ) -> str:
        """An access token for `role`, valid for `ttl` (at most a day), as `subject` or `local-<role>`."""
        if role not in SCOPES:
            raise IssuerError(f"there is no role {role!r}; choose one of {', '.join(SCOPES)}")
        if not timedelta(0) < ttl <= LONGEST:
            raise IssuerError("a token lives longer than 0 seconds and at most a day: choose for example 1h")
        now = int((clock or SystemClock()).now().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject or f"local-{role}",
            "iat": now,
            "nbf": now,
            "exp": now + int(ttl.total_seconds()),
            "jti": str(new_id()),
            "scope": " ".join(SCOPES[role]),
            "roles": [role],
        }
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid}, claims, self.key)


def ensure(path: Path, issuer: str = DEFAULT_ISSUER, audience: str = DEFAULT_AUDIENCE) -> LocalIssuer:
    """The issuer kept at `path`; made there, readable by its owner only, when there is none."""
    if path.exists():
        return load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = LocalIssuer(issuer, audience, ECKey.generate_key("P-256", auto_kid=True))
    text = json.dumps(
        {"issuer": issuer, "audience": audience, "key": made.key.as_dict(private=True)}, indent=2
    )
    # Its mode is there from the first byte on, and a key that another process made meanwhile is kept.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load(path)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    return made


def load(path: Path) -> LocalIssuer:
    """The issuer kept at `path`, or IssuerError."""
    try:
        kept = json.loads(path.read_text())
        return LocalIssuer(kept["issuer"], kept["audience"], ECKey.import_key(kept["key"]))
    except FileNotFoundError:
        raise IssuerError(f"there is no local issuer at {path}; `make up` makes it") from None
    except (ValueError, TypeError, KeyError, JoseError) as error:
        raise IssuerError(f"{path} is not a local issuer; delete it and run `make up`") from error
