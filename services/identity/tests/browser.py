"""Somebody in front of a browser, and a client that signs them in."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
from selectolax.lexbor import LexborHTMLParser

from services.identity.domain import jwts
from services.identity.domain.keys import Ring

PASSWORD: Final = "correct horse battery 9"


class Browser:
    """Keeps cookies, follows nothing by itself, and sends forms as a page's button does."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client
        self.page: httpx.Response | None = None

    @property
    def origin(self) -> str:
        return str(self.http.base_url).rstrip("/")

    async def open(self, address: str) -> httpx.Response:
        """Go to an address of ours."""
        self.page = await self.http.get(address, headers={"Accept": "text/html"})
        return self.page

    async def send(self, **written: str) -> httpx.Response:
        """Fill in the page's form and press its button."""
        assert self.page is not None
        form = LexborHTMLParser(self.page.text).css_first("form[method=post]")
        assert form is not None, self.page.text
        given = {
            str(it.attributes["name"]): it.attributes.get("value") or ""
            for it in form.css("input[name]")
            if it.attributes["name"]
        }
        answer = await self.http.post(
            str(form.attributes["action"]),
            data={**given, **written},
            headers={"Accept": "text/html", "Origin": self.origin},
        )
        if "location" not in answer.headers:
            self.page = answer
        return answer

    async def sign_in(self, email: str, password: str = PASSWORD, return_to: str = "") -> httpx.Response:
        """Sign in on the page for it."""
        params = {"return_to": return_to} if return_to else {}
        await self.open(str(httpx.URL("/account/login", params=params)))
        return await self.send(email=email, password=password)

    def text(self) -> str:
        """What the page says."""
        assert self.page is not None
        main = LexborHTMLParser(self.page.text).css_first("main")
        return " ".join((main.text() if main else self.page.text).split())

    def errors(self) -> list[str]:
        """The sentences beside fields, and above them."""
        assert self.page is not None
        return [
            it.text().strip() for it in LexborHTMLParser(self.page.text).css(".field-error, .notice-title")
        ]


def answered(response: httpx.Response) -> dict[str, str]:
    """The parameters with which a browser is sent back to a client."""
    query = parse_qs(urlsplit(response.headers["location"]).query, keep_blank_values=True)
    return {name: values[0] for name, values in query.items()}


@dataclass
class Application:
    """A client, with a sign-in that it has under way."""

    http: httpx.AsyncClient
    id: str
    redirect_uri: str
    secret: str | None = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def request(self, **changed: str | None) -> str:
        """The address of an authorization request; None leaves a parameter out."""
        values = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            **changed,
        }
        kept = {name: value for name, value in values.items() if value is not None}
        return str(httpx.URL("/oauth/authorize", params=kept))

    async def code(self, browser: Browser, **changed: str | None) -> str:
        """A code, of somebody who is signed in."""
        answer = await browser.open(self.request(**changed))
        if answer.status_code == 200:  # a public client: the user is asked
            answer = await browser.send(decision="allow")
        assert answer.status_code == 303, answer.text
        return answered(answer)["code"]

    async def redeem(self, code: str, **changed: str | None) -> httpx.Response:
        """Tokens for a code."""
        values = {"code": code, "redirect_uri": self.redirect_uri, "code_verifier": self.verifier, **changed}
        return await self.ask("token", grant_type="authorization_code", **values)

    async def tokens(self, browser: Browser, **changed: str | None) -> dict[str, Any]:
        """Tokens, of somebody who is signed in."""
        answer = await self.redeem(await self.code(browser, **changed))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def refresh(self, token: str, **changed: str | None) -> httpx.Response:
        """Tokens for a refresh token."""
        return await self.ask("token", grant_type="refresh_token", refresh_token=token, **changed)

    async def ask(self, endpoint: str, **values: str | None) -> httpx.Response:
        """A request of the client itself, authenticated as it does."""
        sent = {name: value for name, value in values.items() if value is not None}
        if self.secret is None:
            sent.setdefault("client_id", self.id)
            return await self.http.post(f"/oauth/{endpoint}", data=sent)
        return await self.http.post(f"/oauth/{endpoint}", data=sent, auth=(self.id, self.secret))

    async def is_active(self, token: str) -> bool:
        """What introspection says of a token."""
        answer = await self.ask("introspect", token=token)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])


def claims(ring: Ring, token: str, kind: str = jwts.ACCESS) -> Mapping[str, Any]:
    """What a token says; its signature is checked."""
    return jwts.read(token, ring.remembered, kind)


def bearer(token: str) -> dict[str, str]:
    """The header that carries an access token."""
    return {"Authorization": f"Bearer {token}"}
