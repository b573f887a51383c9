"""What the tests of the kit's HTTP half share: a small app, its callers, and a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from suuupra import app
from suuupra.clock import FakeClock
from suuupra.settings import AuthSettings, ServiceSettings
from suuupra.testing.containers import free_port
from suuupra.testing.issuer import Issuer

ISSUER = "http://issuer.test"
AUDIENCE = "suuupra-test"


class Settings(ServiceSettings, AuthSettings):
    """Of a service that checks tokens."""


Client = Callable[[FastAPI], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer.new(ISSUER, AUDIENCE)


@pytest.fixture
def settings(issuer: Issuer) -> Settings:
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
def bearer(issuer: Issuer, clock: FakeClock) -> Callable[[str], dict[str, str]]:
    """Headers of a caller with that role."""

    def headers(role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {issuer.mint(role, clock=clock)}"}

    return headers


@pytest.fixture
def ports(settings: Settings) -> Settings:
    """Settings of a process that listens on free ports of its own."""
    local = {
        "http_host": "127.0.0.1",
        "ops_host": "127.0.0.1",
        "http_port": free_port(),
        "ops_port": free_port(),
    }
    return settings.model_copy(update=local)


async def until_ready(ops: httpx.AsyncClient, process: asyncio.Task[bool]) -> None:
    """Return when a process that was started as a task is ready, or has failed, which is raised."""
    while not process.done():
        try:
            if (await ops.get("/readyz")).status_code == 200:
                return
        except httpx.ConnectError:
            await asyncio.sleep(0)
    await process
