"""What others rely on: events stay readable, tables are what migrations make, routes say how they fail."""

from pathlib import Path

import pytest

from services.commerce.app import create_app
from services.commerce.contract import EVENTS, entitlement_key
from services.commerce.settings import Settings
from services.commerce.store.tables import Table
from suuupra.db import Database
from suuupra.ids import new_id
from suuupra.settings import example
from suuupra.testing.contracts import check_contract, check_models


def test_published_events_stay_compatible() -> None:
    check_contract(EVENTS, Path(__file__).parent / "schemas")


def test_every_right_is_an_aggregate_of_its_own() -> None:
    user, course = new_id(), new_id()
    assert entitlement_key(user, course) != entitlement_key(course, user)


def test_every_route_is_documented_with_its_problems() -> None:
    document = create_app(example(Settings, service="commerce")).openapi()
    place = document["paths"]["/v1/orders"]["post"]["responses"]
    assert {"201", "400", "401", "403", "404", "409", "422"} <= set(place)


@pytest.mark.integration
async def test_the_tables_are_what_migrations_make(database: Database) -> None:
    await check_models(database, Table.metadata)
