"""What others rely on: tables are what migrations make, the document can be printed, the genesis stands."""

import pytest

from services.ledger.app import create_app
from services.ledger.contract import EVENTS
from services.ledger.settings import Settings
from services.ledger.store import tables
from suuupra.db import Database
from suuupra.settings import example
from suuupra.testing.contracts import check_models


def test_the_ledger_publishes_nothing() -> None:
    assert EVENTS == ()


def test_every_route_is_documented_with_its_problems() -> None:
    document = create_app(example(Settings, service="ledger")).openapi()
    edit = document["paths"]["/v1/ledger/accounts/{code}"]["patch"]["responses"]
    assert {"200", "401", "403", "404", "409", "412", "422", "428"} <= set(edit)
    post = document["paths"]["/v1/ledger/journals"]["post"]["responses"]
    assert {"201", "400", "401", "403", "409", "422"} <= set(post)


@pytest.mark.integration
async def test_the_tables_are_what_migrations_make(database: Database) -> None:
    assert "journal" in tables.METADATA.tables
    await check_models(database, tables.METADATA)
