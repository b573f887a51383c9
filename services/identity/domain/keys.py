"""Which key signs, and which are published: a key is seen by all who verify before it signs, and as long as they must.

A new key is published at once and signs only `LEAD` later; the one before stays published for as long as anything it
signed is good. So whoever keeps a copy of the key set for less than `LEAD` never meets a token he cannot judge
(check T22: rotation makes no spurious 401).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.jwk import ECKey

ALGORITHM: Final = "ES256"
LEAD: Final = timedelta(minutes=15)
"""Between a key's publication and its first signature. Services read the set every 5 minutes, Envoy every minute."""
LINGER: Final = timedelta(minutes=30)
"""How long a key is published after its last signature: the longest life of a token, and clocks that differ."""
KEPT: Final = timedelta(days=30)
"""How long a key is kept after its last signature, to recognise old ID tokens at logout."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair with the time from which it signs. Its text form never shows the private half."""

    key: ECKey
    made_at: datetime
    signs_from: datetime

    @property
    def kid(self) -> str:
        return str(self.key.kid)

    def __repr__(self) -> str:
        return f"SigningKey({self.kid}, signs from {self.signs_from.isoformat()})"

    def public(self) -> dict[str, Any]:
        """The public half as a JSON Web Key (RFC 7517)."""
        return {**self.key.as_dict(private=False), "use": "sig", "alg": ALGORITHM}


def make(now: datetime, signs_from: datetime) -> SigningKey:
    """A new key on P-256, named by its thumbprint (RFC 7638)."""
    return SigningKey(ECKey.generate_key("P-256", auto_kid=True), now, signs_from)


@dataclass(frozen=True, slots=True)
class Ring:
    """Every key that is kept, the oldest first."""

    keys: tuple[SigningKey, ...]

    def signing(self, now: datetime) -> SigningKey:
        """The key that signs now: the newest whose time has come."""
        due = [key for key in self.keys if key.signs_from <= now]
        return due[-1] if due else self.keys[0]

    def published(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys by which anything good at present can be judged, those that will sign soon among them."""
        return self._still(now, LINGER)

    def find(self, kid: str, now: datetime) -> SigningKey | None:
        """A published key by its id."""
        return next((key for key in self.published(now) if key.kid == kid), None)

    def remembered(self, kid: str) -> SigningKey | None:
        """A key by its id, even one that has not been published for days."""
        return next((key for key in self.keys if key.kid == kid), None)

    def due(self, now: datetime, life: timedelta) -> bool:
        """Whether it is time for a new key."""
        return self.keys[-1].signs_from + life <= now

    def rotated(self, now: datetime, *, at_once: bool = False) -> "Ring":
        """With a new key. `at_once` is for a key that others may know: it signs nothing more and is forgotten."""
        if at_once:
            return Ring((make(now, now),))
        return Ring((*self._still(now, KEPT), make(now, now + LEAD)))

    def _still(self, now: datetime, after: timedelta) -> tuple[SigningKey, ...]:
        """Keys whose successor has not signed for longer than `after`."""
        ends = [later.signs_from + after for later in self.keys[1:]]
        old = [key for key, end in zip(self.keys, ends, strict=False) if end > now]
        return (*old, self.keys[-1])

    def jwks(self, now: datetime) -> dict[str, Any]:
        """The key set that is published (RFC 7517, 5)."""
        return {"keys": [key.public() for key in self.published(now)]}

    def stored(self) -> dict[str, str]:
        """What is kept in the secret store."""
        kept = [
            {
                "key": key.key.as_dict(private=True),
                "made_at": key.made_at.isoformat(),
                "signs_from": key.signs_from.isoformat(),
            }
            for key in self.keys
        ]
        return {"keys": json.dumps(kept)}


def first(now: datetime) -> Ring:
    """The ring of a platform that has none."""
    return Ring((make(now, now),))


def load(stored: Mapping[str, str]) -> Ring:
    """What `Ring.stored` gave. Raises ValueError, without a word of its content."""
    try:
        return Ring(tuple(_key(one) for one in json.loads(stored["keys"])))
    except (KeyError, TypeError, ValueError):
        raise ValueError("the stored signing keys cannot be read") from None


def _key(one: Mapping[str, Any]) -> SigningKey:
    times: Sequence[datetime] = [datetime.fromisoformat(one[name]) for name in ("made_at", "signs_from")]
    return SigningKey(ECKey.import_key(one["key"]), *times)
