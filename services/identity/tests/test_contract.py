"""What others rely on: events stay readable, tables are what migrations make, the document can be printed."""

from pathlib import Path

import pytest

from services.identity.app import create_app
from services.identity.contract import EVENTS, secret_path
from services.identity.settings import Settings
from services.identity.store.tables import Table
from suuupra.db import Database
from suuupra.settings import SettingsError, example, load
from suuupra.testing.contracts import check_contract, check_models


def test_published_events_stay_compatible() -> None:
    check_contract(EVENTS, Path(__file__).parent / "schemas")


def test_a_client_finds_its_secret_where_it_was_granted() -> None:
    assert secret_path("web") == "identity/clients/web"


def test_every_route_of_the_api_is_documented_with_its_problems() -> None:
    document = create_app(example(Settings, service="identity")).openapi()
    assert set(document["paths"]) == {"/v1/users/me"}
    assert {"200", "401", "403", "412", "422", "428"} <= set(
        document["paths"]["/v1/users/me"]["patch"]["responses"]
    )


def test_an_issuer_that_is_not_the_public_address_stops_the_start() -> None:
    given = {
        "database_url": "postgresql://x/identity",
        "kafka_bootstrap": "x:9092",
        "openbao_url": "http://x",
        "smtp_host": "x",
    }
    with pytest.raises(SettingsError, match="SUUUPRA_ISSUER must be SUUUPRA_PUBLIC_URL"):
        load(Settings, service="identity", openbao_token="x", issuer="https://other.example", **given)


@pytest.mark.integration
async def test_the_tables_are_what_migrations_make(database: Database) -> None:
    await check_models(database, Table.metadata)
