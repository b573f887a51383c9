"""Hostile values in every kind of field: an answer that names the field, or the value kept as it was; never a 500."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, Depends
from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlalchemy import text

from suuupra import fields
from suuupra.app import resource
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.pagination import Paging
from suuupra.testing import hostile
from suuupra.tests.http.conftest import Client

_schema = Schema(Path(__file__).parent / "entries" / "versions")
Db = Annotated[Database, Depends(resource(Database))]
router = APIRouter()

TYPES: dict[str, Any] = {
    name: getattr(fields, name)
    for name in ("Storable", "Line", "Title", "Text", "Token", "Slug", "WebAddress", "EmailAddress")
}


class Everything(BaseModel):
    """One field of each type; each may be left out."""

    storable: fields.Storable | None = None
    line: fields.Line | None = None
    title: fields.Title | None = None
    text: fields.Text | None = None
    token: fields.Token | None = None
    slug: fields.Slug | None = None
    web_address: fields.WebAddress | None = None
    email_address: fields.EmailAddress | None = None
    count: fields.Count | None = None
    integer: fields.Integer | None = None


class Kept(BaseModel):
    values: list[str]


@router.post("/everything")
async def keep(sent: Everything, db: Db) -> Kept:
    """Store what is sent, as a service would."""
    values = sent.model_dump(exclude_none=True)
    async with db.transaction() as tx:
        for name, value in values.items():
            column = "integer" if name == "count" else "bigint" if name == "integer" else "text"
            await tx.execute(
                text(f"INSERT INTO entry SELECT CAST(CAST(:value AS {column}) AS text)"), {"value": value}
            )
        found = await tx.execute(text("SELECT title FROM entry"))
    return Kept(values=[str(title) for (title,) in found.all()])


@router.get("/list")
async def entries(paging: Paging, db: Db) -> list[str]:
    """A list sorted by a number, and one sorted by a text."""
    number = paging.after(int)
    async with db.reading() as tx:
        found = await tx.execute(
            text("SELECT title FROM entry WHERE length(title) > CAST(:after AS integer) ORDER BY title"),
            {"after": number[0] if number else 0},
        )
    return [str(title) for (title,) in found.all()]


@router.get("/careless")
async def careless(value: str, number: int, db: Db) -> str:
    """A route that checks nothing."""
    async with db.reading() as tx:
        await tx.execute(text("SELECT CAST(:number AS integer)"), {"number": number})
        found: str = await tx.scalar(text("SELECT CAST(:value AS text)"), {"value": value})
        return found


@pytest.fixture
def schema() -> Schema:
    return _schema


@pytest_asyncio.fixture
async def http(make_app: Any, client: Client, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with client(make_app(router, resources=[database])) as opened:
        yield opened


def assert_named(answer: httpx.Response, field: str) -> None:
    (error,) = answer.json()["errors"]
    assert answer.status_code == 422
    assert error["field"] == field
    assert error["rule"]
    assert error["fix"]


@pytest.mark.integration
async def test_every_field_refuses_hostile_text_by_name_or_gives_it_back(http: httpx.AsyncClient) -> None:
    for name in Everything.model_fields:
        for value in [*hostile.TEXTS, *hostile.NUMBERS]:
            body = json.dumps({name: value})  # ASCII: half a surrogate pair travels as an escape
            answer = await http.post(
                "/everything", content=body, headers={"content-type": "application/json"}
            )
            if answer.status_code == 200:
                assert str(value).strip() in {kept.strip() for kept in answer.json()["values"]}
            else:
                assert_named(answer, f"body.{name}")


@pytest.mark.integration
async def test_every_forged_cursor_is_refused_by_name_or_read(http: httpx.AsyncClient) -> None:
    statuses = {
        cursor: (await http.get("/list", params={"cursor": cursor})).status_code for cursor in hostile.CURSORS
    }
    assert set(statuses.values()) <= {200, 422}, statuses
    assert statuses[hostile.cursor_of(str(2**63))] == 422


@pytest.mark.integration
async def test_what_a_careless_route_lets_through_is_refused_and_not_a_fault(http: httpx.AsyncClient) -> None:
    for value in ("a\x00b", "a"):
        answer = await http.get("/careless", params={"value": value, "number": 2**31 if value == "a" else 1})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:suuupra:problem:value-refused"
        assert answer.json()["errors"][0]["rule"]


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("value", hostile.UNSTORABLE)
def test_every_type_refuses_what_no_column_holds(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TYPES[name]).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Title, "क्‍षेत्र"),
        (fields.Title, "👩‍👩‍👧"),
        (fields.Title, "日本　語"),
        (fields.Text, "one\n\ntwo\tthree"),
        (fields.Slug, "हिन्दी-पाठ"),
        (fields.WebAddress, "https://example.org/a?b=c#d"),
        (fields.EmailAddress, "asha.rao+x@mail.example.org"),
    ],
)
def test_honest_text_of_any_script_is_taken_as_it_is(kind: Any, value: str) -> None:
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Title, "a\nb"),
        (fields.Title, "a\u202eb"),
        (fields.Text, "a\x1b[0m"),
        (fields.Slug, "a\nb"),
        (fields.WebAddress, "http://a\x00b"),
        (fields.WebAddress, "javascript:alert(1)"),
        (fields.WebAddress, "http:///path"),
        (fields.EmailAddress, "a@b"),
        (fields.EmailAddress, "a@b.example\r\nBcc: c@d.example"),
        (fields.Token, "naïve"),
    ],
)
def test_text_that_would_break_its_place_is_refused(kind: Any, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)
