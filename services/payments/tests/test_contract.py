"""What others rely on: events stay readable, tables are what migrations make, the document can be printed."""

from pathlib import Path

import pytest

from services.payments.app import create_app
from services.payments.contract import EVENTS, RailRegistration
from services.payments.settings import Settings
from services.payments.store.tables import METADATA
from suuupra.db import Database
from suuupra.settings import example
from suuupra.testing.contracts import check_contract, check_models


def test_published_events_stay_compatible() -> None:
    check_contract(EVENTS, Path(__file__).parent / "schemas")


def test_every_route_is_documented_with_its_problems() -> None:
    document = create_app(example(Settings, service="payments")).openapi()
    begin = document["paths"]["/v1/payments/{payment_id}/attempts"]["post"]["responses"]
    assert {"201", "400", "401", "404", "409", "422", "503"} <= set(begin)


def test_a_rulebook_is_read_in_seconds_or_with_a_unit() -> None:
    told = {
        "url": "http://x",
        "participants": [{"code": "asha"}],
        "rulebook": {"scale": 30, "payTimer": "15s"},
    }
    book = RailRegistration.model_validate({**told, "more": 1}).rulebook
    assert (book.scale, book.pay_timer, book.first_check_after) == (30, 15, 90)


@pytest.mark.integration
async def test_the_tables_are_what_migrations_make(database: Database) -> None:
    await check_models(database, METADATA)
