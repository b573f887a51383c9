"""Who calls payments, and with which token."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx
from joserfc import jwt

from suuupra.clock import Clock
from suuupra.testing.issuer import Issuer

_keys = count()


def token(issuer: Issuer, clock: Clock, subject: str, scope: str = "") -> str:
    """An access token with these scopes, good for an hour."""
    now = int(clock.now().timestamp())
    claims = {
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": subject,
        "client_id": "test",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "jti": str(uuid4()),
        "scope": scope,
        "roles": [],
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid}, claims, issuer.key)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token."""

    http: httpx.AsyncClient
    issuer: Issuer
    clock: Clock
    scope: str = ""
    id: UUID = field(default_factory=uuid4)

    def headers(self, key: str | None = None, **more: str) -> dict[str, str]:
        """The token, and an Idempotency-Key that is new unless given."""
        bearer = {"Authorization": f"Bearer {token(self.issuer, self.clock, str(self.id), self.scope)}"}
        return {**bearer, "Idempotency-Key": key or f"key-{next(_keys)}", **more}

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.headers(), **options)

    async def post(
        self, path: str, body: Any = None, *, key: str | None = None, match: str = "*"
    ) -> httpx.Response:
        headers = self.headers(key, **{"If-Match": match, "Content-Type": "application/json"})
        content = b"" if body is None else json.dumps(body).encode()
        return await self.http.post(path, content=content, headers=headers)

    async def put(self, path: str, body: Any, match: str = "*") -> httpx.Response:
        return await self.http.put(path, json=body, headers=self.headers(**{"If-Match": match}))

    async def delete(self, path: str, match: str = "*") -> httpx.Response:
        return await self.http.delete(path, headers=self.headers(**{"If-Match": match}))

    async def attempt(
        self, payment: UUID | str, method: str = "upi_qr", *, key: str | None = None
    ) -> dict[str, Any]:
        """Begin an attempt; what the payer is shown."""
        return made(await self.post(f"/v1/payments/{payment}/attempts", {"method": method}, key=key))

    async def payment(self, payment: UUID | str) -> dict[str, Any]:
        """A payment as it is shown."""
        return read(await self.get(f"/v1/payments/{payment}"))

    async def refund(self, payment: UUID | str, minor: int | None = None) -> httpx.Response:
        """Ask to give back `minor` paise, or all."""
        body: Mapping[str, Any] = {"amount": {"minor": minor, "currency": "INR"}} if minor is not None else {}
        return await self.post(f"/v1/payments/{payment}/refunds", body)


def made(answer: httpx.Response) -> dict[str, Any]:
    """The body of a 201."""
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def read(answer: httpx.Response) -> dict[str, Any]:
    """The body of a 200."""
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def fields(answer: httpx.Response) -> list[str]:
    """Which fields a problem names."""
    return [error["field"] for error in answer.json().get("errors", ())]
