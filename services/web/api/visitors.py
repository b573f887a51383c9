"""Who is reading, until there are accounts: an unguessable number in a cookie and nothing else.

The cookie is set when the first lesson is opened, not before, so whoever only looks around is not told apart.
"""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "suuupra_visitor"
MAX_AGE_SECONDS = 400 * 24 * 3600  # the longest that browsers keep a cookie (RFC 6265bis, 5.6.2)


def visitor_of(request: Request) -> uuid.UUID | None:
    """The visitor whose cookie the request carries; None without one and for one we cannot have set."""
    try:
        visitor = uuid.UUID(request.cookies.get(COOKIE, ""))
    except ValueError:
        return None
    return visitor if visitor.version == 4 else None


def new_visitor() -> uuid.UUID:
    """A random number, not a time-ordered one: it is all that protects a visitor's progress (122 bits)."""
    return uuid.uuid4()


def remember(response: Response, visitor: uuid.UUID, *, secure: bool) -> None:
    """Set the cookie, or keep it for another 400 days."""
    response.set_cookie(
        COOKIE, str(visitor), max_age=MAX_AGE_SECONDS, path="/", httponly=True, samesite="lax", secure=secure
    )


def forget(request: Request, response: Response) -> None:
    """Take the cookie away: what the visitor did belongs to a person now."""
    if COOKIE in request.cookies:
        response.delete_cookie(COOKIE, "/", httponly=True, samesite="lax")
