"""The cookies of identity, with names and paths of their own: no other service's pages ever get them."""

import re
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.identity.domain.accounts import KNOWN_FOR
from services.identity.usecases.signing_in import Opened

SESSION: Final = "suuupra_sso"
SESSION_PATH: Final = "/oauth"
KNOWN: Final = "suuupra_known"
KNOWN_PATH: Final = "/account/login"
SIGN_UP: Final = "suuupra_signup"
SIGN_UP_PATH: Final = "/account/verify"
SIGN_UP_LIFE: Final = timedelta(hours=25)

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def session_of(request: Request) -> str:
    """The value of the session cookie; empty without one."""
    return _value(request, SESSION)


def known_of(request: Request) -> str:
    """What tells a browser in which somebody signed in before; empty in others."""
    return _value(request, KNOWN)


def sign_up_of(request: Request) -> str:
    """What tells the browser that signed up from others; empty in those."""
    return _value(request, SIGN_UP)


def _value(request: Request, name: str) -> str:
    given = request.cookies.get(name, "")
    return given if _VALUE.fullmatch(given) else ""


def sign_in(response: Response, session: Opened, *, life: timedelta, secure: bool) -> None:
    """Set the session cookie, and know the browser again after it."""
    _set(response, SESSION, session.cookie, SESSION_PATH, life, secure)
    remember_browser(response, session.browser, secure=secure)


def remember_browser(response: Response, value: str, *, secure: bool) -> None:
    """Set the cookie by which the browser is known."""
    _set(response, KNOWN, value, KNOWN_PATH, KNOWN_FOR, secure)


def remember_sign_up(response: Response, value: str, *, secure: bool) -> None:
    """Set the cookie of the browser that signs up."""
    _set(response, SIGN_UP, value, SIGN_UP_PATH, SIGN_UP_LIFE, secure)


def forget_sign_up(response: Response) -> None:
    response.delete_cookie(SIGN_UP, path=SIGN_UP_PATH)


def sign_out(response: Response) -> None:
    """Remove the session cookie."""
    response.delete_cookie(SESSION, path=SESSION_PATH)


def _set(response: Response, name: str, value: str, path: str, life: timedelta, secure: bool) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(life.total_seconds()),
        path=path,
        httponly=True,
        samesite="lax",
        secure=secure,
    )
