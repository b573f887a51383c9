"""Token refreshes per second of a core, beside what cannot be left out: signing two tokens, and one durable commit.

A refresh takes a refresh token of the web app's once, marks it, and gives an access token, an ID token and the next
refresh token. What counts is the processor time of the provider, and of the process that does the bare work;
PostgreSQL's is in neither.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import psycopg

from services.identity.domain import jwts, keys
from services.identity.tests.browser import Application, Browser
from tests.load.provider import PEOPLE, Provider, best, provider
from tests.load.report import Figure, over

REFRESHES: Final = 400
"""In each round, of all people together."""
CLAIMS: Final[dict[str, Any]] = {
    "iss": "http://localhost:8080",
    "aud": "suuupra",
    "sub": "019a0000-0000-7000-8000-000000000000",
    "client_id": "web",
    "iat": 1_800_000_000,
    "exp": 1_800_000_600,
    "jti": "019a0000-0000-7000-8000-000000000001",
    "scope": "openid profile email",
    "roles": ["learner"],
    "sid": "019a0000-0000-7000-8000-000000000002",
}


def measure() -> Sequence[Figure]:
    """Start the provider, measure, remove it."""
    with provider() as made:
        tokens = asyncio.run(_signed_in(made))
        ours, bare = best(
            [
                lambda: made.per_core(REFRESHES, lambda: _refreshes(made, tokens)),
                lambda: asyncio.run(_bare(made.database_url)),
            ]
        )
    return figures(ours, bare)


def figures(ours: float, bare: float) -> list[Figure]:
    """Both per second of a core."""
    bound = f"{1000 / ours:.1f} ms of Python: authlib, SQLAlchemy's statements, the kit around every request"
    peer = f"{bare:,.0f} times two signatures and a commit"
    return [Figure("token refreshes", f"{ours:,.0f} refreshes/s/core", peer, over(ours, bare), bound)]


def _web(made: Provider, http: httpx.AsyncClient) -> Application:
    return Application(http, "web", f"{made.process.url}/session/callback", made.process.web_secret)


async def _signed_in(made: Provider) -> list[str]:
    """A refresh token of everybody, each of a sign-in of its own."""
    found = []
    for email in PEOPLE:
        async with httpx.AsyncClient(base_url=made.process.url, timeout=30) as http:
            browser = Browser(http)
            answer = await browser.sign_in(email)
            assert answer.status_code == 303, answer.text
            given = await _web(made, http).tokens(browser)
            assert "id_token" in given
            found.append(str(given["refresh_token"]))
    return found


async def _refreshes(made: Provider, tokens: list[str]) -> None:
    """Everybody refreshes, one token after the other; the last of each is kept for the next round."""

    async def person(number: int, http: httpx.AsyncClient) -> None:
        web = _web(made, http)
        for _ in range(REFRESHES // len(tokens)):
            answer = await web.refresh(tokens[number])
            assert answer.status_code == 200, answer.text
            tokens[number] = answer.json()["refresh_token"]

    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=made.process.url, timeout=30))
            for _ in tokens
        ]
        await asyncio.gather(*(person(number, http) for number, http in enumerate(clients)))


async def _bare(url: str) -> float:
    """Twice a signature and a durable commit, per second of this process's processor time."""
    key = keys.first(datetime.now(UTC)).keys[0]
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        before = time.process_time()
        for _ in range(REFRESHES):
            jwts.sign(key, CLAIMS, jwts.ACCESS)
            jwts.sign(key, CLAIMS, jwts.ID)
            await connection.execute("SELECT pg_logical_emit_message(true, 'bench', 'a row')")
        return REFRESHES / (time.process_time() - before)
