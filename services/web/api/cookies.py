"""Web's cookies besides the visitor's: each opaque, out of scripts' reach, and not sent along by other sites' forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.web.settings import Settings

DAY_SECONDS: Final = 24 * 3600
LONGEST: Final = 128
"""Characters of a value that one of ours can have."""


@dataclass(frozen=True)
class Cookie:
    """A cookie of ours. `days` is how long a browser keeps it; None: until it is closed."""

    name: str
    path: str
    days: int | None

    def of(self, request: Request) -> str | None:
        """What the request's says; None without one, and for one that we cannot have set."""
        value = request.cookies.get(self.name, "")
        return value if 0 < len(value) <= LONGEST and value.isascii() and value.isprintable() else None

    def set(self, request: Request, response: Response, value: str) -> None:
        """Give the browser the cookie, or keep it for longer."""
        response.set_cookie(
            self.name,
            value,
            max_age=None if self.days is None else self.days * DAY_SECONDS,
            path=self.path,
            httponly=True,
            samesite="lax",
            secure=settings_of(request).secure,
        )

    def drop(self, request: Request, response: Response) -> None:
        """Take the cookie away, if there is one."""
        if self.name in request.cookies:
            secure = settings_of(request).secure
            response.delete_cookie(self.name, self.path, httponly=True, samesite="lax", secure=secure)


SESSION: Final = Cookie("suuupra_session", "/", days=30)
"""Stands for a signed-in person; what it says is in no table."""
LOGIN: Final = Cookie("suuupra_login", "/session", days=None)
"""Ties a sign-in under way to the browser that began it."""
CART: Final = Cookie("suuupra_cart", "/", days=60)
"""The id of the cart, which is unguessable and all that opens a cart without an owner."""

KNOWN: Final = (SESSION.name, CART.name)
"""With any of these a page is for one person."""


def settings_of(request: Request) -> Settings:
    """The application's settings."""
    settings: Settings = request.app.state.settings
    return settings
