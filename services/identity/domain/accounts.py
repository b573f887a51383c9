"""People with an account: what they may do, and what tokens say of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

KNOWN_FOR: Final = timedelta(days=180)
"""How long a browser is known by, in which somebody signed in."""


class Role(StrEnum):
    """What somebody is on the platform. Each learns; the others are given by operators."""

    LEARNER = "learner"
    CREATOR = "creator"
    SUPPORT = "support"
    FINANCE = "finance"
    OPERATOR = "operator"


_CREATOR: Final = frozenset({"content:write", "commerce:write"})
_SUPPORT: Final = frozenset({"platform:read", "orders:read"})
_FINANCE: Final = frozenset({"ledger:read", "payments:refund", "orders:read", "orders:refund"})
SCOPES: Final[Mapping[Role, frozenset[str]]] = MappingProxyType(
    {
        Role.LEARNER: frozenset(),
        Role.CREATOR: _CREATOR,
        Role.SUPPORT: _SUPPORT,
        Role.FINANCE: _FINANCE,
        Role.OPERATOR: _CREATOR | _SUPPORT | _FINANCE | {"ledger:write", "payments:webhooks"},
    }
)
"""Role → the scopes of the platform's APIs that its holder may have in a token."""
API_SCOPES: Final = frozenset().union(*SCOPES.values())
OPENID_SCOPES: Final = ("openid", "profile", "email", "offline_access")
"""What any user may grant (OpenID Connect Core, 5.4 and 11)."""


SCOPE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openid": "know who you are",
        "profile": "see your name, language, roles and organisations",
        "email": "see your e-mail address",
        "offline_access": "stay signed in after you sign out here",
        "content:write": "write and publish courses",
        "commerce:write": "change products, prices and coupons",
        "platform:read": "look at how the platform runs",
        "orders:read": "see the orders of others",
        "orders:refund": "refund orders",
        "ledger:read": "read the ledger",
        "ledger:write": "post to the ledger",
        "payments:refund": "refund payments",
        "payments:webhooks": "change where payments are reported",
    }
)
"""Scope → what a program wants to do, as its user is asked."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody's place in an organisation."""

    organisation_id: UUID
    slug: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Account:
    """A person whose address is verified."""

    id: UUID
    email: str
    name: str
    locale: str
    roles: tuple[Role, ...]
    password_hash: str
    version: int
    created_at: datetime
    changed_at: datetime
    disabled_at: datetime | None = None
    memberships: tuple[Membership, ...] = ()

    @property
    def active(self) -> bool:
        return self.disabled_at is None

    @property
    def organisation(self) -> UUID | None:
        """The organisation that access tokens name: the one joined first."""
        return self.memberships[0].organisation_id if self.memberships else None

    def get_user_id(self) -> str:
        """The subject of tokens, under the name by which authlib asks for it."""
        return str(self.id)


def email_key(email: str) -> str:
    """What makes two addresses the same: they differ in case only."""
    return email.strip().casefold()


def roles_of(names: Iterable[str]) -> tuple[Role, ...]:
    """Roles in their own order, each once. Raises ValueError for a name that is none."""
    wanted = {Role(name) for name in names} | {Role.LEARNER}
    return tuple(role for role in Role if role in wanted)


def may_have(roles: Iterable[Role]) -> frozenset[str]:
    """The scopes that tokens of a user with these roles may carry."""
    return frozenset(OPENID_SCOPES).union(*(SCOPES[role] for role in roles))


def granted(asked: str, allowed: Iterable[str]) -> str:
    """Those of the scopes asked for that are allowed, in the order asked, each once (RFC 6749, 3.3)."""
    permitted = frozenset(allowed)
    return " ".join(scope for scope in dict.fromkeys(asked.split()) if scope in permitted)


def access_claims(account: Account) -> dict[str, Any]:
    """What services are told of a user with every call (RFC 9068, 2.2.3.1)."""
    claims: dict[str, Any] = {"roles": [str(role) for role in account.roles]}
    if account.organisation is not None:
        claims["org"] = str(account.organisation)
    return claims


def person_claims(account: Account, scope: str) -> dict[str, Any]:
    """What an application is told of a user: the claims that the scopes stand for (OpenID Connect Core, 5.4)."""
    scopes = scope.split()
    claims: dict[str, Any] = {"sub": str(account.id)}
    if "profile" in scopes:
        claims |= {
            "name": account.name,
            "locale": account.locale,
            "updated_at": int(account.changed_at.timestamp()),
            **access_claims(account),
            "organisations": [
                {"id": str(it.organisation_id), "slug": it.slug, "name": it.name, "role": it.role}
                for it in account.memberships
            ],
        }
    if "email" in scopes:
        claims |= {"email": account.email, "email_verified": True}
    return claims
