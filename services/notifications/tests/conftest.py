"""The service on real servers, with a clock that stands still."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.notifications.app import create_app
from services.notifications.settings import Settings
from services.notifications.tests.happenings import Happening, deliver
from services.notifications.usecases.letters import Letters
from services.notifications.usecases.sending import Desk
from services.notifications.workers import Postman
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.smtp import Mailer, mailbox
from suuupra.testing.issuer import Issuer
from suuupra.testing.smtp import MailServer

Deliver = Callable[..., Awaitable[None]]
Settle = Callable[[], Awaitable[int]]


@pytest.fixture
def settings(database_url: str, mail_server: MailServer, issuer: Issuer) -> Settings:
    """The service's settings; Kafka only where a test says so."""
    return Settings(
        service="notifications",
        database_url=database_url,
        database_pool_size=8,
        kafka_bootstrap="127.0.0.1:9",
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
        smtp_timeout=2.0,
        issuer=issuer.issuer,
        audience=issuer.audience,
        jwks=json.dumps(issuer.jwks()),
    )


@pytest.fixture
def happen(database: Database, settings: Settings, clock: FakeClock) -> Deliver:
    """`await happen(learner.paid(), …)`: the events are taken in."""

    async def taken_in(*happenings: Happening) -> None:
        await deliver(database, settings, clock, happenings)

    return taken_in


@pytest_asyncio.fixture
async def desk(settings: Settings, clock: FakeClock) -> AsyncIterator[Desk]:
    """What sending needs."""
    async with at_desk(settings, clock) as made:
        yield made


@asynccontextmanager
async def at_desk(settings: Settings, clock: FakeClock) -> AsyncIterator[Desk]:
    """What sending with these settings needs, and connections enough for two postmen."""
    database = Database(settings.database_url, application="postman", pool_size=10)
    yield Desk(
        database,
        Mailer.of(settings, clock),
        Letters(settings.public_url, settings.zone),
        clock,
        mailbox(settings.smtp_sender),
    )
    await database.close()


@pytest.fixture
def send_due(desk: Desk) -> Settle:
    """`await send_due()`: all mail that is due now is tried; how many attempts that took."""
    return Postman(desk).send_due


@pytest_asyncio.fixture
async def app(settings: Settings, clock: FakeClock) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = create_app(settings)
    made.state.clock = clock
    async with made.router.lifespan_context(made):
        yield made
