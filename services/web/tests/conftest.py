"""The web app on doubles of what it asks; a browser's headers where a test is about browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.web.app import create_app
from services.web.settings import Settings
from services.web.tests.commerce_double import CommerceDouble
from services.web.tests.content_double import EPOCH, ContentDouble, CourseDouble
from services.web.tests.identity_double import SECRET, IdentityDouble
from services.web.tests.notifications_double import NotificationsDouble
from services.web.tests.payments_double import PaymentsDouble
from services.web.tests.switchboard import Switchboard
from services.web.usecases import buying
from suuupra.clock import FakeClock
from suuupra.secrets_store import SecretsStore
from suuupra.testing.issuer import Issuer
from suuupra.testing.secrets import MemorySecrets

ORIGIN = "http://localhost:8080"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OURS = {"Sec-Fetch-Site": "same-origin"}
PYTHON = {"First steps": ["appetite", "interpreter"], "The language": ["control-flow", "classes"]}
NOWHERE = "postgresql://nobody:nothing@127.0.0.1:9/none"
"""Tests that sign nobody in need no database."""

Given = dict[str, Any]


def given(**changed: Any) -> Given:
    """Settings of a developer's machine."""
    services = ("content", "identity", "commerce", "payments", "notifications", "ledger", "upi_core")
    addresses = {f"url_{name}": f"http://{name.replace('_', '-')}:8000" for name in services}
    secrets = {"openbao_url": "http://openbao:8200", "openbao_token": "none", "client_secret": SECRET}
    return {"service": "web", "database_url": NOWHERE, **addresses, **secrets, **changed}


@dataclass
class World:
    """Everything around web."""

    content: ContentDouble
    identity: IdentityDouble
    shop: CommerceDouble
    till: PaymentsDouble
    post: NotificationsDouble
    network: Switchboard
    clock: FakeClock
    secrets: MemorySecrets


@pytest.fixture
def world(issuer: Issuer) -> World:
    """Three published courses, of which one is sold and shows its first lesson to everybody."""
    clock = FakeClock(EPOCH + timedelta(seconds=1))
    identity = IdentityDouble(issuer, clock)
    courses = [
        CourseDouble("python", "The Python Tutorial", PYTHON),
        CourseDouble("sql", "SQL", {"All": ["tables"]}),
    ]
    sold = CourseDouble("rust", "Rust", {"Start": ["hello", "ownership"]}, preview=1)
    content = ContentDouble([*courses, sold], identity.who)
    shop = CommerceDouble([sold], identity.who)
    till, post = PaymentsDouble(identity.who), NotificationsDouble(identity.who)
    network = Switchboard(
        {
            "content": content.transport(),
            "identity": identity.transport(),
            "commerce": shop.transport(),
            "payments": till.transport(),
            "notifications": post.transport(),
        }
    )
    return World(content, identity, shop, till, post, network, clock, MemorySecrets())


@pytest.fixture
def content(world: World) -> ContentDouble:
    """Two published courses, open to everybody."""
    world.content.courses = [course for course in world.content.courses if course.preview is None]
    return world.content


@pytest.fixture
def settings() -> Settings:
    """A developer's machine, without a database."""
    return Settings(**given())


def web_of(settings: Settings, world: World) -> FastAPI:
    """The application in that world."""
    secrets = SecretsStore(world.secrets)
    return create_app(settings, transport=world.network, clock=world.clock, secrets=secrets)


@asynccontextmanager
async def browsing(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies and asks for pages as a browser does."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=BROWSER) as client:
        yield client


@pytest_asyncio.fixture
async def browser(
    settings: Settings, world: World, content: ContentDouble
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on web, where every course is open and nobody is signed in."""
    app = web_of(settings, world)
    async with app.router.lifespan_context(app), browsing(app) as client:
        yield client


@pytest_asyncio.fixture
async def app(database_url: str, world: World) -> AsyncIterator[FastAPI]:
    """Web with a PostgreSQL of its own."""
    made = web_of(Settings(**given(database_url=database_url)), world)
    async with made.router.lifespan_context(made):
        yield made


@pytest_asyncio.fixture
async def shopper(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on web with its database; nobody is signed in yet."""
    async with browsing(app) as client:
        yield client


async def sign_in(client: httpx.AsyncClient, world: World, to: str = "/") -> httpx.Response:
    """As a person would; returns the answer that sets the session."""
    begun = await client.get("/session/login", params={"to": to})
    assert begun.status_code == 303, begun.text
    return await client.get(world.identity.approve(begun.headers["location"]))


@pytest_asyncio.fixture
async def learner(shopper: httpx.AsyncClient, world: World) -> httpx.AsyncClient:
    """A browser whose person is signed in."""
    await sign_in(shopper, world)
    return shopper


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Payments hears of an order at once; a test that wants it later takes it away again."""
    monkeypatch.setattr(buying, "PREPARED_PAUSE_SECONDS", 0.001)
    made = world.shop._made

    def hear(cart, user):  # type: ignore[no-untyped-def]
        order = made(cart, user)
        world.till.hear(order.id)
        return order

    monkeypatch.setattr(world.shop, "_made", hear)


__all__ = ["BROWSER", "ORIGIN", "OURS", "World", "browsing", "given", "sign_in", "web_of"]
