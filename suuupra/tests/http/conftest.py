"""What the tests of the kit's HTTP half share: a small app, its callers, and a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from joserfc.jwk import ECKey

from suuupra import app
from suuupra.clock import FakeClock
from suuupra.local_issuer import LocalIssuer
from suuupra.settings import AuthSettings, ServiceSettings

ISSUER = "http://issuer.test"
AUDIENCE = "suuupra-test"


class Settings(ServiceSettings, AuthSettings):
    """Of a service that checks tokens."""


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Tracebacks as text: structlog's own default draws them with every local variable, which takes seconds."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    yield
    structlog.reset_defaults()


Client = Callable[[FastAPI], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def issuer() -> LocalIssuer:
    return LocalIssuer(ISSUER, AUDIENCE, ECKey.generate_key("P-256", auto_kid=True))


@pytest.fixture
def settings(issuer: LocalIssuer) -> Settings:
    return Settings(service="example", issuer=ISSUER, audience=AUDIENCE, jwks=json.dumps(issuer.jwks()))


@pytest.fixture
def make_app(settings: Settings, clock: FakeClock) -> Callable[..., FastAPI]:
    def make(router: APIRouter, **options: Any) -> FastAPI:
        return app.create(settings, router, clock=clock, **options)

    return make


@pytest.fixture
def client() -> Client:
    @asynccontextmanager
    async def of(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=transport, base_url="http://example.test") as http,
        ):
            yield http

    return of


@pytest.fixture
def bearer(issuer: LocalIssuer, clock: FakeClock) -> Callable[[str], dict[str, str]]:
    """Headers of a caller with that role."""

    def headers(role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {issuer.mint(role, clock=clock)}"}

    return headers
