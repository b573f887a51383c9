"""identity on real servers: in this process with a clock that stands still, and as a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from fastapi import FastAPI

from services.identity.app import create_app
from services.identity.domain.accounts import Account, roles_of
from services.identity.domain.clients import CODE, CREDENTIALS, REFRESH, Client, secret_hash
from services.identity.schedules import schedules
from services.identity.settings import Settings
from services.identity.tests.browser import PASSWORD, Application, Browser
from services.identity.tests.process import CHEAP, Process, started
from services.identity.usecases import registering, signing_up
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.schedule import Scheduler
from suuupra.secrets_store import SecretsStore
from suuupra.settings import load
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.secrets import MemorySecrets
from suuupra.testing.smtp import MailServer
from suuupra.trust import authorities

SITE = "http://identity.test"
SHOP = Client(
    id="shop",
    name="A shop",
    kind="confidential",
    grant_types=(CODE, REFRESH),
    redirect_uris=("https://shop.example/callback", "https://shop.example/other?fixed=1"),
    post_logout_redirect_uris=("https://shop.example/bye",),
    scopes=("openid", "profile", "email", "offline_access", "content:write", "orders:read"),
    secret_hash=secret_hash("the shop's secret: 100%"),
)
REPORTS = Client(
    id="reports",
    name="Reports",
    kind="confidential",
    grant_types=(CREDENTIALS,),
    scopes=("ledger:read", "orders:read"),
    secret_hash=secret_hash("the reports' secret"),
)
_HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)

MakeUser = Callable[..., Awaitable[Account]]


async def make_user(database: Database, email: str, *roles: str, name: str = "Asha Rao") -> Account:
    """Somebody with an account, whose password is PASSWORD."""
    async with database.transaction() as tx:
        return await signing_up.create_verified(
            tx,
            email=email,
            name=name,
            locale="en",
            roles=roles_of(roles),
            password_hash=_HASH,
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )


# In this process


@pytest.fixture
def identity_settings(database_url: str) -> Settings:
    """As a pod would read them; Kafka and OpenBao are not there."""
    return load(
        Settings,
        service="identity",
        public_url=SITE,
        database_url=database_url,
        database_pool_size=5,
        kafka_bootstrap="127.0.0.1:9",
        openbao_url="http://127.0.0.1:9",
        openbao_token="unused",
        smtp_host="127.0.0.1",
        **CHEAP,
    )


@pytest_asyncio.fixture
async def app(
    identity_settings: Settings, secrets_kept: MemorySecrets, clock: FakeClock
) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = create_app(identity_settings, secrets=SecretsStore(secrets_kept), clock=clock)
    async with made.router.lifespan_context(made):
        yield made


@pytest_asyncio.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who sends requests."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as client:
        yield client


@pytest_asyncio.fixture
async def open_browser(app: FastAPI) -> AsyncIterator[Callable[[], Browser]]:
    """Gives browsers, each with cookies of its own."""
    clients: list[httpx.AsyncClient] = []

    def make() -> Browser:
        clients.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE))
        return Browser(clients[-1])

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def browser(open_browser: Callable[[], Browser]) -> Browser:
    """A browser."""
    return open_browser()


@pytest.fixture
def send_letters(
    identity_settings: Settings, database: Database, clock: FakeClock, mail_server: MailServer
) -> Callable[[], Awaitable[int]]:
    """What the worker does: sends the letters that are due, to `mail_server`; how many."""
    reached = identity_settings.model_copy(update={"smtp_port": mail_server.port})
    handlers = schedules(reached, clock)
    return Scheduler(database, {"letter": handlers["letter"]}, clock, parallel=1).handle_due


# As a process of its own


@pytest.fixture(scope="session")
def provider_url(postgres: PostgresServer) -> Iterator[str]:
    """The database of the process."""
    name = postgres.create(Schema.of("identity"))
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(scope="session")
def provider(provider_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The provider, for the whole session: each test brings its own people."""
    with started(provider_url, tmp_path_factory.mktemp("identity")) as process:
        asyncio.run(_register(provider_url))
        yield process


async def _register(url: str) -> None:
    database = Database(url, application="test", pool_size=1)
    await registering.register(database, (SHOP, REPORTS), datetime.now(UTC))
    await database.close()


@pytest_asyncio.fixture
async def provider_database(provider_url: str) -> AsyncIterator[Database]:
    """The database of the process, as a pod sees it."""
    opened = Database(provider_url, application="test", pool_size=2)
    yield opened
    await opened.close()


@pytest.fixture
def new_user(provider_database: Database) -> MakeUser:
    """`await new_user("a@example.org", "creator")`: somebody with an account at the process."""
    return partial(make_user, provider_database)


@pytest_asyncio.fixture
async def outside(provider: Process) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever has no browser: clients, and attackers."""
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(
        base_url=provider.url, timeout=30, limits=limits, verify=authorities()
    ) as client:
        yield client


@pytest_asyncio.fixture
async def person(provider: Process) -> AsyncIterator[Browser]:
    """A browser at the process."""
    async with httpx.AsyncClient(base_url=provider.url, timeout=30, verify=authorities()) as client:
        yield Browser(client)


@pytest.fixture
def shop(outside: httpx.AsyncClient) -> Application:
    """A confidential client, whose secret holds what an encoding may break."""
    return Application(outside, SHOP.id, SHOP.redirect_uris[0], "the shop's secret: 100%")


@pytest.fixture
def web(provider: Process, outside: httpx.AsyncClient) -> Application:
    """The web app, which may introspect everything."""
    return Application(outside, "web", f"{provider.url}/session/callback", provider.web_secret)


@pytest.fixture
def cli(outside: httpx.AsyncClient) -> Application:
    """The command line: a public client on its user's machine, at any port."""
    return Application(outside, "cli", "http://127.0.0.1:45678/callback")
