"""Somebody signs a program in, as a browser does: code + PKCE over HTTP (RFC 8252), on identity's own pages."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import httpx

from world.people import PASSWORD, Person, words_of
from world.platform import Platform, WorldFailed, checked, read

CLIENT = "cli"
"""A client that every platform has, of programs on one's own machine."""
CALLBACK = "http://127.0.0.1/callback"
"""Where the browser is sent with the code. Nobody listens there: the code is in the address."""


def token_of(platform: Platform, person: Person, *scopes: str) -> str:
    """An access token of somebody who has an account, with those of the scopes that their roles allow."""
    verifier = secrets.token_urlsafe(48)
    browser = platform.browser()
    code = _code(browser, person, _asked(verifier, ("openid", *scopes)))
    given = {"code": code, "code_verifier": verifier, "redirect_uri": CALLBACK, "client_id": CLIENT}
    answer = read(browser.post("/oauth/token", data={"grant_type": "authorization_code", **given}))
    return str(answer["access_token"])


def _asked(verifier: str, scopes: tuple[str, ...]) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "scope": " ".join(scopes),
        "state": secrets.token_urlsafe(16),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


def _code(browser: httpx.Client, person: Person, asked: Mapping[str, str]) -> str:
    """Ask, sign in, consent, and take the code out of the address to which the browser is sent."""
    to_sign_in = _sent_on(browser.get("/oauth/authorize", params=dict(asked)), person)
    form = {"return_to": _values(to_sign_in)["return_to"], "email": person.email, "password": PASSWORD}
    back = _sent_on(browser.post("/account/login", data=form), person)
    question = re.search(r'name="query" value="([^"]*)"', checked(browser.get(back)).text)
    if question is None:
        raise WorldFailed(f"{person.email} was not asked whether {CLIENT} may act for them")
    said = {"query": html.unescape(question[1]), "decision": "allow"}
    answer = _values(_sent_on(browser.post("/oauth/consent", data=said), person))
    if "code" not in answer or answer.get("state") != asked["state"]:
        raise WorldFailed(f"{person.email} got no code: {answer}")
    return answer["code"]


def _sent_on(answer: httpx.Response, person: Person) -> str:
    """Where an answer sends the browser."""
    if not answer.is_redirect:
        raise WorldFailed(f"{person.email} cannot sign in: {answer.status_code} {words_of(answer.text)}")
    return answer.headers["location"]


def _values(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
