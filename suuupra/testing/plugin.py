"""The fixtures for servers and databases. See the package's docstring for the list."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
import structlog

from suuupra import discovery
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.objects import ObjectStore
from suuupra.secrets_store import SecretsStore
from suuupra.testing.containers import remove_leftovers
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.objects import ObjectsServer
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.secrets import MemorySecrets, OpenBaoServer
from suuupra.testing.smtp import MailServer
from suuupra.testing.valkey import ValkeyServer

pytest_plugins = ["suuupra.testing.services", "suuupra.testing.sharing"]


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker that names a test's service."""
    config.addinivalue_line("markers", "service(name): the service whose database and settings the test uses")
    # How long an example takes says more of what else the machine does than of the code.
    hypothesis.settings.register_profile("suuupra", deadline=None)
    hypothesis.settings.load_profile("suuupra")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected is kept to the end: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Tracebacks as text: structlog's own default draws them with every local variable, which takes seconds."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def containers() -> None:
    """Docker is there, and nothing is left of sessions that were killed."""
    remove_leftovers()


@pytest.fixture(scope="session")
def postgres(containers: None) -> Iterator[PostgresServer]:
    """PostgreSQL, for the whole session."""
    server = PostgresServer.start(in_memory=True)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def kafka(containers: None) -> Iterator[KafkaServer]:
    """Kafka, for the whole session."""
    server = KafkaServer.start()
    try:
        yield server
    finally:
        server.container.remove()


@pytest_asyncio.fixture
async def topics(kafka: KafkaServer) -> AsyncIterator[Topics]:
    """Makes topics that last as long as the test."""
    async with Topics(kafka.bootstrap) as made:
        yield made


@pytest.fixture(scope="session")
def objects(containers: None) -> Iterator[ObjectsServer]:
    """The object store, for the whole session."""
    server = ObjectsServer.start()
    try:
        yield server
    finally:
        server.container.remove()


@pytest.fixture
def bucket(objects: ObjectsServer) -> ObjectStore:
    """The test's own empty bucket; it goes with the server."""
    return objects.bucket()


@pytest.fixture(scope="session")
def valkey(containers: None) -> Iterator[ValkeyServer]:
    """Valkey, for the whole session; whoever keeps something in it uses keys of its own."""
    server = ValkeyServer.start()
    try:
        yield server
    finally:
        server.container.remove()


@pytest.fixture(scope="session")
def openbao(containers: None) -> Iterator[OpenBaoServer]:
    """OpenBao, for the whole session: for tests of the store itself; services take `secrets`."""
    server = OpenBaoServer.start()
    try:
        yield server
    finally:
        server.container.remove()


@pytest.fixture
def secrets_kept() -> MemorySecrets:
    """What `secrets` keeps, for the test to look at or to take away."""
    return MemorySecrets()


@pytest_asyncio.fixture
async def secrets(secrets_kept: MemorySecrets) -> AsyncIterator[SecretsStore]:
    """A store of secrets of the test's own, in memory."""
    store = SecretsStore(secrets_kept)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str | None:
    """The service a test belongs to: its marker's, else the one in whose folder it lies, else none."""
    marker = request.node.get_closest_marker("service")
    if marker is not None:
        return str(marker.args[0])
    path = Path(request.node.path)
    return next((found.name for found in discovery.found() if path.is_relative_to(found.path)), None)


@pytest.fixture
def schema(service: str | None) -> Schema | None:
    """The schema that `database` is migrated to; override it to test with another."""
    return _schemas.setdefault(service, Schema.of(service)) if service else None


_schemas: dict[str, Schema | None] = {}


@pytest.fixture
def database_name(postgres: PostgresServer, schema: Schema | None) -> Iterator[str]:
    """The name of the test's own database."""
    name = postgres.create(schema)
    try:
        yield name
    finally:
        postgres.drop(name)


@pytest.fixture
def database_url(postgres: PostgresServer, database_name: str) -> str:
    """The URL that a pod would be given."""
    return postgres.url(database_name)


@pytest_asyncio.fixture
async def database(database_url: str, schema: Schema | None) -> AsyncIterator[Database]:
    """The test's own database, as a pod sees it."""
    opened = Database(database_url, application="test", pool_size=5, schema=schema)
    try:
        yield opened
    finally:
        await opened.close()


@pytest_asyncio.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    """A mail server of the test's own; see its fields for what can go wrong."""
    async with MailServer() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when the test says so."""
    return FakeClock()
