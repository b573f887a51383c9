"""Fixtures for a whole service: its settings, its API and its callers."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
import yaml
from fastapi import FastAPI

from suuupra import discovery
from suuupra.settings import (
    AuthSettings,
    DatabaseSettings,
    KafkaSettings,
    ObjectsSettings,
    SecretsSettings,
    ServiceSettings,
    SmtpSettings,
    ValkeySettings,
)
from suuupra.testing.issuer import AUDIENCE, ISSUER, Issuer
from suuupra.testing.objects import ACCESS_KEY, REGION, SECRET_KEY
from suuupra.testing.secrets import ROOT_TOKEN

BASE_URL: Final = "http://service.test"

Token = Callable[..., str]
Values = Mapping[str, Any]


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """The issuer whose tokens the services under test accept."""
    return Issuer.new(ISSUER, AUDIENCE)


@pytest.fixture
def token(issuer: Issuer) -> Token:
    """`token("creator")`, `token("learner", subject="…")`: an access token, good for an hour."""
    return issuer.mint


@pytest.fixture
def service_settings(service: str | None, request: pytest.FixtureRequest) -> Callable[..., ServiceSettings]:
    """`service_settings(**overrides)`: the service's Settings, with each server it needs started and filled in."""
    if service is None:
        raise LookupError(
            'which service? Put the test into services/NAME/tests or mark it @pytest.mark.service("name")'
        )
    found = discovery.find(service)
    kind = found.settings()
    given = {
        "service": found.name,
        **{
            name: value
            for mixin, fill in _FILL.items()
            if issubclass(kind, mixin)
            for name, value in fill(request).items()
        },
    }
    return lambda **overrides: kind(**{**given, **overrides})


@pytest_asyncio.fixture
async def app(service: str, service_settings: Callable[..., ServiceSettings]) -> AsyncIterator[FastAPI]:
    """The service's application with its lifespan running."""
    made = discovery.find(service).create_app(service_settings())
    async with made.router.lifespan_context(made):
        yield made


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An anonymous caller of the service's API."""
    async with calling(app) as made:
        yield made


@pytest_asyncio.fixture
async def client_as(app: FastAPI, token: Token) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """`client_as("creator")`: a caller with a token of that role; a `subject` may be given."""
    made: list[httpx.AsyncClient] = []

    def make(role: str, subject: str | None = None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token(role, subject)}"}
        made.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL, headers=headers))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


@asynccontextmanager
async def calling(app: FastAPI, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of an application in this process."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE_URL, headers=headers
    ) as made:
        yield made


def _database(request: pytest.FixtureRequest) -> Values:
    return {"database_url": request.getfixturevalue("database_url"), "database_pool_size": 5}


def _kafka(request: pytest.FixtureRequest) -> Values:
    return {"kafka_bootstrap": request.getfixturevalue("kafka").bootstrap}


def _objects(request: pytest.FixtureRequest) -> Values:
    server = request.getfixturevalue("objects")
    declared = _manifest(request.getfixturevalue("service")).get("buckets", [])
    return {
        "objects_endpoint": server.endpoint,
        "objects_region": REGION,
        "objects_access_key": ACCESS_KEY,
        "objects_secret_key": SECRET_KEY,
        "buckets": {bucket["name"]: server.bucket().bucket for bucket in declared},
    }


def _secrets(request: pytest.FixtureRequest) -> Values:
    server = request.getfixturevalue("openbao")
    return {"openbao_url": server.url, "openbao_mount": server.mount(), "openbao_token": ROOT_TOKEN}


def _valkey(request: pytest.FixtureRequest) -> Values:
    return {"valkey_url": request.getfixturevalue("valkey").url}


def _auth(request: pytest.FixtureRequest) -> Values:
    keys = request.getfixturevalue("issuer").jwks()
    return {"issuer": ISSUER, "audience": AUDIENCE, "jwks": json.dumps(keys)}


def _smtp(request: pytest.FixtureRequest) -> Values:
    return {"smtp_host": "127.0.0.1", "smtp_port": request.getfixturevalue("mail_server").port}


_FILL: Final[Mapping[type, Callable[[pytest.FixtureRequest], Values]]] = {
    DatabaseSettings: _database,
    KafkaSettings: _kafka,
    ObjectsSettings: _objects,
    SecretsSettings: _secrets,
    ValkeySettings: _valkey,
    AuthSettings: _auth,
    SmtpSettings: _smtp,
}


def _manifest(service: str) -> Values:
    """The spec of the service's resource."""
    root = discovery.find(service).path.parent.parent
    path = root / "manifests" / "services" / f"{service}.yaml"
    documents = yaml.safe_load_all(path.read_text()) if path.exists() else ()
    return next((document["spec"] for document in documents if document), {})
