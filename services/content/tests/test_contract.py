"""What others rely on: events stay readable, tables are what migrations make, the document can be printed."""

from pathlib import Path

import pytest
from sqlmodel import SQLModel

from services.content.app import create_app
from services.content.contract import EVENTS, Learner, learner_key
from services.content.settings import Settings
from services.content.store import tables
from suuupra.db import Database
from suuupra.settings import example
from suuupra.testing.contracts import check_contract, check_models


def test_published_events_stay_compatible() -> None:
    check_contract(EVENTS, Path(__file__).parent / "schemas")


def test_a_visitor_and_a_user_with_one_id_are_two_learners() -> None:
    assert learner_key(Learner(kind="visitor", id="1")) != learner_key(Learner(kind="user", id="1"))


def test_every_route_is_documented_with_its_problems() -> None:
    document = create_app(example(Settings, service="content")).openapi()
    edit = document["paths"]["/v1/authoring/lessons/{lesson_id}"]["put"]["responses"]
    assert {"200", "401", "403", "404", "409", "412", "422", "428"} <= set(edit)


@pytest.mark.integration
async def test_the_tables_are_what_migrations_make(database: Database) -> None:
    assert tables.CourseRow.__tablename__ == "course"
    await check_models(database, SQLModel.metadata)
