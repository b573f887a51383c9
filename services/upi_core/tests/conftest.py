"""The rail on real databases."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.upi_core.tests.town import Copies, NewDatabase, Town, With, founded, opened
from suuupra.migrations import Schema
from suuupra.testing.issuer import AUDIENCE as DEFAULT_AUDIENCE
from suuupra.testing.issuer import ISSUER as DEFAULT_ISSUER
from suuupra.testing.issuer import Issuer
from suuupra.testing.postgres import PostgresServer

_schemas: dict[str, Schema | None] = {}


def _schema(service: str) -> Schema | None:
    return _schemas.setdefault(service, Schema.of(service))


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Who signs the tests' tokens."""
    return Issuer.new(DEFAULT_ISSUER, DEFAULT_AUDIENCE)


@pytest.fixture
def new_database(postgres: PostgresServer) -> Iterator[NewDatabase]:
    """Makes databases that last as long as the test."""
    names: list[str] = []

    def make(service: str) -> str:
        names.append(postgres.create(_schema(service)))
        return postgres.url(names[-1])

    yield make
    for name in names:
        postgres.drop(name)


@pytest.fixture(scope="session")
def first_towns() -> list[Copies]:
    """The town that all others are copies of, once there is one."""
    return []


@pytest_asyncio.fixture
async def town(postgres: PostgresServer, issuer: Issuer, first_towns: list[Copies]) -> AsyncIterator[Town]:
    """A rail by NPCI's own timers, with banks that answer at once: a copy, because to join takes ten times as long."""
    if not first_towns:
        first_towns.append(await founded(postgres, issuer, _schema))
    (first,) = first_towns
    names = [postgres.copy(name) for name in first.names]
    urls = iter([postgres.url(name) for name in names])
    try:
        async with opened(lambda _: next(urls), issuer, known=first.town) as made:
            yield made
    finally:
        for name in names:
            postgres.drop(name)


@pytest.fixture
def town_with(new_database: NewDatabase, issuer: Issuer) -> With:
    """A rail whose rules and banks are the test's choice."""
    return lambda rulebook=None, **profiles: opened(
        new_database, issuer, rulebook=rulebook, profiles=profiles
    )
