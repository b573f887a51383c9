"""The service on a real database, by a clock that tests move, and the people who use it."""

import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.commerce.app import create_app
from services.commerce.settings import Settings
from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, Token
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.settings import load
from suuupra.testing.issuer import AUDIENCE as DEFAULT_AUDIENCE
from suuupra.testing.issuer import ISSUER as DEFAULT_ISSUER
from suuupra.testing.issuer import Issuer

SELLER = "01890000-0000-7000-8000-000000000001"


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Who signs the tests' tokens."""
    return Issuer.new(DEFAULT_ISSUER, DEFAULT_AUDIENCE)


@pytest.fixture
def commerce_settings(
    database_url: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    """The service's settings, read as a pod reads them; Kafka only where a test says so."""
    environment = {
        "SUUUPRA_SERVICE": "commerce",
        "SUUUPRA_DATABASE_URL": database_url,
        "SUUUPRA_DATABASE_POOL_SIZE": "20",
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return lambda **given: load(Settings, **given)


@pytest_asyncio.fixture
async def app(commerce_settings: Callable[..., Settings], clock: FakeClock) -> AsyncIterator[FastAPI]:
    """The application, started."""
    started = create_app(commerce_settings(), clock)
    async with started.router.lifespan_context(started):
        yield started


@pytest_asyncio.fixture
async def nobody(app: FastAPI) -> AsyncIterator[Person]:
    """Somebody who is not signed in."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://commerce") as client:
        yield Person(client, {})


@pytest.fixture
def signed_in(nobody: Person, issuer: Issuer, clock: FakeClock) -> Callable[..., Person]:
    """`signed_in(subject, scopes, roles)`: somebody with a token; without a subject a new user."""

    def make(subject: str | None = None, scopes: str = "", roles: tuple[str, ...] = ("learner",)) -> Person:
        token = Token.new(subject, scopes, roles)
        bearer = {"Authorization": f"Bearer {token.signed(issuer, clock)}"}
        return Person(nobody.client, bearer, token.subject)

    return make


@pytest.fixture
def learner(signed_in: Callable[..., Person]) -> Person:
    """Somebody who buys."""
    return signed_in()


@pytest.fixture
def seller(signed_in: Callable[..., Person]) -> Person:
    """Somebody who sells."""
    return signed_in(SELLER, "commerce:write", ("creator",))


@pytest.fixture
def support(signed_in: Callable[..., Person]) -> Person:
    """Somebody who sees every order and gives money back."""
    return signed_in(None, "orders:read orders:refund", ("finance",))


@pytest.fixture
def deliveries(
    database: Database, commerce_settings: Callable[..., Settings], clock: FakeClock
) -> Deliveries:
    """Hands events to the service's consumers, as the inbox would."""
    return Deliveries(database, commerce_settings(), clock)


@pytest.fixture
def shop(seller: Person, database: Database, deliveries: Deliveries) -> Shop:
    """Courses and products to buy."""
    return Shop(seller, database, deliveries)
