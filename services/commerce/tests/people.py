"""People with tokens, and what they do through the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
from joserfc import jwt

from suuupra.clock import Clock
from suuupra.ids import new_id
from suuupra.testing.issuer import Issuer

_keys = count()
_LIFE = timedelta(days=400)
"""Tests move the clock by months."""


@dataclass(frozen=True, slots=True)
class Token:
    """What an access token says."""

    subject: str
    scopes: str
    roles: tuple[str, ...]

    @classmethod
    def new(cls, subject: str | None, scopes: str, roles: tuple[str, ...]) -> "Token":
        """Of a new user, when there is no subject."""
        return cls(subject or str(new_id()), scopes, roles)

    def signed(self, issuer: Issuer, clock: Clock) -> str:
        """The token, valid from now on."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": issuer.issuer,
            "aud": issuer.audience,
            "sub": self.subject,
            "client_id": "test",
            "iat": now,
            "exp": now + int(_LIFE.total_seconds()),
            "scope": self.scopes,
            "roles": list(self.roles),
        }
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid}, claims, issuer.key)


@dataclass(frozen=True, slots=True)
class Person:
    """A client with somebody's token, or without one."""

    client: httpx.AsyncClient
    headers: Mapping[str, str]
    id: str = ""

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.headers, params=query)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """POST with an Idempotency-Key, a new one unless `key` says otherwise."""
        headers = {**self.headers, "Idempotency-Key": key or f"key-{next(_keys)}"}
        return await self.client.post(path, json=body, headers=headers)

    async def put(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.put(path, json=body, headers=self.headers)

    async def patch(self, path: str, body: Any, match: str | None = "*") -> httpx.Response:
        headers = {**self.headers, **({"If-Match": match} if match else {})}
        return await self.client.patch(path, json=body, headers=headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(path, headers=self.headers)

    async def cart(self, *variants: str, quantity: int = 1, **fields: Any) -> dict[str, Any]:
        """A cart of theirs with these variants."""
        made = ok(await self.post("/v1/carts", fields))
        for variant in variants:
            made = ok(await self.put(f"/v1/carts/{made['id']}/lines/{variant}", {"quantity": quantity}))
        return made

    async def order(self, *variants: str, quantity: int = 1) -> dict[str, Any]:
        """An order of theirs for these variants."""
        cart = await self.cart(*variants, quantity=quantity)
        return ok(await self.post("/v1/orders", {"cart_id": cart["id"]}))

    async def order_now(self, order_id: str) -> dict[str, Any]:
        """The order as it is now."""
        return ok(await self.get(f"/v1/orders/{order_id}"))


def ok(answer: httpx.Response) -> dict[str, Any]:
    """The body of a success."""
    assert answer.is_success, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The first wrong field of a problem, which has all that problems must have."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body = answer.json()
    assert body["type"] == f"urn:suuupra:problem:{slug}", body
    first: dict[str, Any] = body["errors"][0]
    assert first["field"]
    assert first["rule"]
    assert first["fix"]
    return first
