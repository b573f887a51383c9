"""The service on real servers, and the people who use it."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from joserfc import jwt

from services.ledger.app import create_app
from services.ledger.settings import Settings
from services.ledger.tests.books import Books
from suuupra.clock import FakeClock
from suuupra.ids import new_id
from suuupra.objects import ObjectStore
from suuupra.secrets_store import SecretsStore
from suuupra.settings import load
from suuupra.testing.issuer import Issuer
from suuupra.testing.objects import ACCESS_KEY, SECRET_KEY, ObjectsServer
from suuupra.testing.secrets import MemorySecrets

Mint = Callable[..., str]


@pytest.fixture
def mint(issuer: Issuer, clock: FakeClock) -> Mint:
    """`mint("ledger:read")`: a token with these scopes, good for a month of the test's clock."""

    def made(*scopes: str, subject: str = "finance-1") -> str:
        now = int(clock.now().timestamp())
        claims = {
            "iss": issuer.issuer,
            "aud": issuer.audience,
            "sub": subject,
            "client_id": "test",
            "iat": now,
            "exp": now + int(timedelta(days=30).total_seconds()),
            "jti": str(new_id()),
            "scope": " ".join(scopes),
        }
        header = {"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid}
        return jwt.encode(header, claims, issuer.key)

    return made


@pytest.fixture
def environment(
    database_url: str, objects: ObjectsServer, bucket: ObjectStore, issuer: Issuer
) -> dict[str, str]:
    """What the operator would put into a pod's environment; Kafka only where a test says so."""
    return {
        "SUUUPRA_SERVICE": "ledger",
        "SUUUPRA_DATABASE_URL": database_url,
        "SUUUPRA_DATABASE_POOL_SIZE": "20",
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_OBJECTS_ENDPOINT": objects.endpoint,
        "SUUUPRA_OBJECTS_ACCESS_KEY": ACCESS_KEY,
        "SUUUPRA_OBJECTS_SECRET_KEY": SECRET_KEY,
        "SUUUPRA_BUCKETS": json.dumps({"checkpoints": bucket.bucket}),
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
        "SUUUPRA_OPENBAO_URL": "http://127.0.0.1:9",
        "SUUUPRA_OPENBAO_TOKEN": "test",
    }


@pytest.fixture
def ledger_settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The service's settings, read as a pod reads them."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return load(Settings)


@pytest_asyncio.fixture
async def app(
    ledger_settings: Settings, clock: FakeClock, secrets_kept: MemorySecrets
) -> AsyncIterator[FastAPI]:
    """The application, started."""
    started = create_app(ledger_settings, clock, SecretsStore(secrets_kept))
    async with started.router.lifespan_context(started):
        yield started


@pytest_asyncio.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a token."""
    async with _client(app) as client:
        yield client


@pytest_asyncio.fixture
async def reader(app: FastAPI, mint: Mint) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who may only read."""
    async with _client(app, mint("ledger:read", subject="auditor")) as client:
        yield client


@pytest_asyncio.fixture
async def books(app: FastAPI, mint: Mint) -> AsyncIterator[Books]:
    """Somebody who reads and posts."""
    async with _client(app, mint("ledger:read", "ledger:write")) as client:
        yield Books(client)


def _client(app: FastAPI, token: str | None = None) -> httpx.AsyncClient:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://ledger", headers=headers)
