"""What others rely on: tables are what migrations make, the document can be printed, all that is told is consumed."""

from pathlib import Path

import pytest
import yaml

from services.notifications.app import create_app
from services.notifications.consumers import consumers
from services.notifications.contract import EVENTS
from services.notifications.domain import facts
from services.notifications.settings import Settings
from services.notifications.store.tables import METADATA
from suuupra.db import Database
from suuupra.settings import SettingsError, example
from suuupra.testing.contracts import check_contract, check_models

MANIFEST = Path(__file__).parents[3] / "manifests" / "services" / "notifications.yaml"


def test_it_publishes_nothing() -> None:
    check_contract(EVENTS, Path(__file__).parent / "schemas")
    assert EVENTS == ()


def test_every_route_is_documented_with_its_problems() -> None:
    document = create_app(example(Settings, service="notifications")).openapi()
    change = document["paths"]["/v1/notification-preferences"]["patch"]["responses"]
    assert {"200", "401", "412", "422", "428"} <= set(change)
    assert (
        "text/event-stream"
        in document["paths"]["/v1/notifications/stream"]["get"]["responses"]["200"]["content"]
    )


def test_every_event_that_people_are_told_of_is_consumed_and_declared() -> None:
    consumed = {it.event for it in consumers(example(Settings, service="notifications"))}
    assert consumed >= set(facts.TOLD)
    declared = yaml.safe_load(MANIFEST.read_text())["spec"]["events"]["consumes"]
    assert {it["topic"] for it in declared} == {it.type for it in consumed}


def test_a_time_zone_that_is_none_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="SUUUPRA_TIME_ZONE"):
        example(Settings, service="notifications", time_zone="Mars/Olympus")


@pytest.mark.integration
async def test_the_tables_are_what_migrations_make(database: Database) -> None:
    await check_models(database, METADATA)
