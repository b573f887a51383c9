"""Sessions, decided without any I/O: how long they last, when tokens are due, and where a sign-in may lead back to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit
from uuid import UUID

ATTEMPT_LASTS = timedelta(hours=1)
"""From the sign-in button to the return: time to write a password, to read a mail, to look for the phone."""
IDLE_LIMIT = timedelta(days=14)
LONGEST = timedelta(days=30)
RENEWED_BEFORE = timedelta(seconds=60)
"""Access tokens are renewed this long before their end, so that none ends on its way."""
STAFF = frozenset({"support", "finance", "operator"})
"""Roles of those who answer for other people's orders."""
LONGEST_RETURN = 1000
"""Characters of an address to come back to."""


@dataclass(frozen=True)
class Tokens:
    """What identity gave for this session. They never leave the server."""

    access: str
    refresh: str | None
    expires_at: datetime

    def due(self, now: datetime) -> bool:
        """Whether the access token should be renewed before it is used."""
        return self.expires_at - now < RENEWED_BEFORE

    def over(self, now: datetime) -> bool:
        """Whether the access token is of no use any more."""
        return self.expires_at <= now


@dataclass(frozen=True)
class Person:
    """Who signed in, as identity's ID token says."""

    id: UUID
    name: str
    email: str
    roles: tuple[str, ...] = ()

    @property
    def is_staff(self) -> bool:
        """Whether they may look at what is others'. Each service asks their token for the scope besides."""
        return not STAFF.isdisjoint(self.roles)


@dataclass(frozen=True)
class Viewer:
    """Somebody who is signed in, for the length of one request."""

    person: Person
    bearer: str
    since: datetime


def lasts_until(created_at: datetime, now: datetime) -> datetime:
    """When a session ends unless it is used again."""
    return min(now + IDLE_LIMIT, created_at + LONGEST)


def way_back(wanted: str | None) -> str:
    """Where a sign-in may lead back to: a path of this site and nothing else; the catalogue for all others.

    Browsers read a backslash as a slash and drop tabs and line breaks, so neither may be in it (WHATWG URL, 4.4).
    """
    path = wanted or ""
    if not path.startswith("/") or len(path) > LONGEST_RETURN or not path.isprintable() or not path.isascii():
        return "/"
    plain = unquote(path)
    if plain.startswith(("//", "/\\")) or "\\" in path or urlsplit(path).netloc:
        return "/"
    return "/" if urlsplit(path).path.startswith("/session") else path
