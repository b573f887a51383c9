"""Somebody's mail, and how they begin."""

import re
from collections.abc import Awaitable, Callable

import httpx

from services.identity.tests.browser import PASSWORD, Browser
from services.identity.tests.conftest import SITE
from suuupra.testing.smtp import MailServer, text_of

NEW = {"name": "Asha Rao", "email": "Asha@Example.org", "password": PASSWORD}
LINK = re.compile(rf"{re.escape(SITE)}(/account/\S+)")

SendLetters = Callable[[], Awaitable[int]]


def link_in(mail: MailServer, number: int = -1) -> str:
    """The address that a letter asks to open."""
    found = LINK.search(text_of(mail.messages[number]))
    assert found is not None
    return found[1]


async def sign_up(browser: Browser, return_to: str = "", **changed: str) -> httpx.Response:
    await browser.open(
        str(httpx.URL("/account/sign-up", params={"return_to": return_to} if return_to else {}))
    )
    return await browser.send(**{**NEW, **changed})


async def request_of(browser: Browser, **changed: str) -> str:
    """The address of an authorization request of the web app."""
    values = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": f"{SITE}/session/callback",
        "scope": "openid email",
        "state": "s",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
        **changed,
    }
    return str(httpx.URL("/oauth/authorize", params=values))
