"""The rail on real databases."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.upi_core.tests.town import NewDatabase, Town, With, opened
from suuupra.migrations import Schema
from suuupra.testing.issuer import AUDIENCE as DEFAULT_AUDIENCE
from suuupra.testing.issuer import ISSUER as DEFAULT_ISSUER
from suuupra.testing.issuer import Issuer
from suuupra.testing.postgres import PostgresServer

_schemas: dict[str, Schema | None] = {}


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Who signs the tests' tokens."""
    return Issuer.new(DEFAULT_ISSUER, DEFAULT_AUDIENCE)


@pytest.fixture
def new_database(postgres: PostgresServer) -> Iterator[NewDatabase]:
    """Makes databases that last as long as the test."""
    names: list[str] = []

    def make(service: str) -> str:
        schema = _schemas.setdefault(service, Schema.of(service))
        names.append(postgres.create(schema))
        return postgres.url(names[-1])

    yield make
    for name in names:
        postgres.drop(name)


@pytest_asyncio.fixture
async def town(new_database: NewDatabase, issuer: Issuer) -> AsyncIterator[Town]:
    """A rail by NPCI's own timers, with banks that answer at once."""
    async with opened(new_database, issuer) as made:
        yield made


@pytest.fixture
def town_with(new_database: NewDatabase, issuer: Issuer) -> With:
    """A rail whose rules and banks are the test's choice."""
    return lambda rulebook=None, **profiles: opened(
        new_database, issuer, rulebook=rulebook, profiles=profiles
    )
