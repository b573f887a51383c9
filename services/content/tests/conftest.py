"""The service on real servers, and the people who use it."""

import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.content.app import create_app
from services.content.settings import Settings
from services.content.tests.author import Author
from suuupra.clock import FakeClock
from suuupra.objects import ObjectStore
from suuupra.settings import load
from suuupra.testing.issuer import Issuer
from suuupra.testing.objects import ACCESS_KEY, SECRET_KEY, ObjectsServer

OWNER = "asha"
"""Who writes the courses, as tokens name them."""


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Who signs the tests' tokens."""
    return Issuer.new()


@pytest.fixture
def environment(
    database_url: str, objects: ObjectsServer, bucket: ObjectStore, issuer: Issuer
) -> dict[str, str]:
    """What the operator would put into a pod's environment; Kafka only where a test says so."""
    return {
        "SUUUPRA_SERVICE": "content",
        "SUUUPRA_DATABASE_URL": database_url,
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_OBJECTS_ENDPOINT": objects.endpoint,
        "SUUUPRA_OBJECTS_ACCESS_KEY": ACCESS_KEY,
        "SUUUPRA_OBJECTS_SECRET_KEY": SECRET_KEY,
        "SUUUPRA_BUCKETS": json.dumps({"media": bucket.bucket}),
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
    }


@pytest.fixture
def content_settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The service's settings, read as a pod reads them."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return load(Settings, media_limit=1024 * 1024)


@pytest_asyncio.fixture
async def app(content_settings: Settings, clock: FakeClock) -> AsyncIterator[FastAPI]:
    """The application, started."""
    started = create_app(content_settings)
    started.state.clock = clock
    async with started.router.lifespan_context(started):
        yield started


@pytest_asyncio.fixture
async def reader(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a token."""
    async with _client(app) as client:
        yield client


@pytest_asyncio.fixture
async def author_called(app: FastAPI, issuer: Issuer) -> AsyncIterator[Callable[[str], Author]]:
    """Gives authors by name, each with a token of their own."""
    async with _client(app) as client:
        yield lambda name: Author(client, {"Authorization": f"Bearer {issuer.mint('creator', name)}"})


@pytest_asyncio.fixture
async def author_of_role(app: FastAPI, issuer: Issuer) -> AsyncIterator[Callable[..., Author]]:
    """Gives authors by role, and by subject if one is named."""
    async with _client(app) as client:
        yield lambda *who: Author(client, {"Authorization": f"Bearer {issuer.mint(*who)}"})


@pytest.fixture
def author(author_called: Callable[[str], Author]) -> Author:
    """Somebody who may write courses."""
    return author_called(OWNER)


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://content")
