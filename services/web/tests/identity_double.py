"""Identity's side of the wire: codes, tokens that rotate, and a family that is revoked when one comes twice."""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import UUID

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt

from suuupra.clock import Clock
from suuupra.ids import new_id
from suuupra.testing.issuer import Issuer

SECRET = "the-secret-of-web"
ISSUER = "http://localhost:8080"


@dataclass
class Family:
    """What came of one sign-in."""

    user: UUID
    refresh: str = ""
    revoked: bool = False
    spent: set[str] = field(default_factory=set)


class IdentityDouble:
    """A provider with one kind of user. `pause`, when set, is awaited before each token answer."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self.issuer, self.clock = issuer, clock
        self.user, self.name, self.email = new_id(), "Asha Rao", "asha@example.org"
        self.ttl = timedelta(minutes=10)
        self.families: list[Family] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, Family] = {}
        self.claims: dict[str, Any] = {}
        self.pause: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self.refreshed = 0
        self.away = False

    def transport(self) -> httpx.MockTransport:
        """What the client is given instead of the network."""
        return httpx.MockTransport(self._answer)

    def who(self, request: httpx.Request) -> UUID | None:
        """Whose bearer token a request carries."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        family = self.tokens.get(bearer)
        return family.user if family else None

    def approve(self, url: str, **changed: str) -> str:
        """What a browser does at `url`: signs in, and is sent back to this address, path and query."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert url.startswith(f"{ISSUER}/oauth/authorize?")
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": ISSUER, **changed}
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode(back)}"

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("identity is away")
        match request.url.path:
            case "/.well-known/jwks.json":
                return httpx.Response(200, json=self.issuer.jwks())
            case "/oauth/token":
                return await self._token(request)
            case "/oauth/revoke":
                return self._revoke(request)
            case _:
                return httpx.Response(404)

    async def _token(self, request: httpx.Request) -> httpx.Response:
        self.arrived.set()
        if self.pause is not None:
            await self.pause.wait()
        if not _is_web(request):
            return httpx.Response(401, json={"error": "invalid_client"})
        form = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
        if form["grant_type"] == "refresh_token":
            return self._refresh(form["refresh_token"])
        asked = self.codes.pop(form["code"], None)
        challenge = create_s256_code_challenge(form["code_verifier"])
        if asked is None or challenge != asked["code_challenge"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        family = Family(self.user)
        self.families.append(family)
        return self._issue(family, id_token=self._id_token(asked["nonce"]))

    def _refresh(self, token: str) -> httpx.Response:
        self.refreshed += 1
        family = next((one for one in self.families if token == one.refresh or token in one.spent), None)
        if family is None or family.revoked or token in family.spent:
            if family:
                family.revoked = True
            return httpx.Response(400, json={"error": "invalid_grant"})
        family.spent.add(token)
        return self._issue(family)

    def _revoke(self, request: httpx.Request) -> httpx.Response:
        token = parse_qs(request.content.decode())["token"][0]
        for family in self.families:
            family.revoked = family.revoked or token == family.refresh
        return httpx.Response(200)

    def _issue(self, family: Family, **more: str) -> httpx.Response:
        family.refresh = secrets.token_urlsafe(16)
        access = self.issuer.mint("learner", str(family.user), self.ttl, self.clock)
        self.tokens[access] = family
        body = {"access_token": access, "token_type": "Bearer", "refresh_token": family.refresh, **more}
        return httpx.Response(200, json={**body, "expires_in": int(self.ttl.total_seconds())})

    def _id_token(self, nonce: str) -> str:
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": ISSUER, "aud": "web", "sub": str(self.user), "iat": now, "exp": now + 300, "nonce": nonce,
            "name": self.name, "email": self.email, "roles": ["learner"],
        } | self.claims  # fmt: skip
        return jwt.encode({"alg": "ES256", "kid": self.issuer.key.kid}, claims, self.issuer.key)


def _is_web(request: httpx.Request) -> bool:
    given = request.headers.get("authorization", "").removeprefix("Basic ")
    return base64.b64decode(given).decode() == f"web:{SECRET}"
