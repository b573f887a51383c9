"""Lists in pages, and edits that say which version they change."""

from __future__ import annotations

import base64
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from suuupra.errors import Invalid, PreconditionFailed
from suuupra.etags import IfMatch, Precondition, etag_of, not_modified
from suuupra.ids import new_id
from suuupra.pagination import Page, PageRequest, Paging
from suuupra.tests.http.conftest import Client

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [(BEGINNING + timedelta(microseconds=number // 3), new_id()) for number in range(25)]

router = APIRouter()


class Item(BaseModel):
    id: UUID


@router.get("/items")
async def items(paging: Paging) -> Page[Item]:
    after = paging.after(datetime, UUID)
    rows = [row for row in ROWS if after is None or row > after][: paging.limit + 1]
    return paging.page(rows, key=lambda row: row, view=lambda row: Item(id=row[1]))


@router.get("/item")
async def item(request: Request) -> Response:
    return not_modified(request, etag_of(7)) or Response("seven", headers={"ETag": etag_of(7)})


@router.put("/item")
async def change(precondition: IfMatch) -> dict[str, bool]:
    precondition.require(7)
    return {"changed": True}


@pytest.mark.parametrize("limit", [1, 7, 24, 25, 26, 100])
async def test_pages_put_together_are_the_list(make_app: Any, client: Client, limit: int) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    async with client(make_app(router)) as http:
        while cursor is not None:
            page = (
                await http.get("/items", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
            ).json()
            seen += [entry["id"] for entry in page["items"]]
            cursor = page["next"]
    assert seen == [str(row[1]) for row in ROWS]


async def test_empty_list_is_one_empty_page() -> None:
    page: Page[None] = PageRequest(10).page([], key=lambda row: (0,), view=lambda row: row)
    assert (page.items, page.next) == ([], None)


@pytest.mark.parametrize("limit", [0, 101, "x"])
async def test_limit_outside_its_bounds_is_refused(make_app: Any, client: Client, limit: Any) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/items", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.limit"


async def test_cursor_of_another_list_is_refused_in_words(make_app: Any, client: Client) -> None:
    other = PageRequest(1).page([1, 2], key=lambda row: (row,), view=lambda row: row).next
    async with client(make_app(router)) as http:
        answer = await http.get("/items", params={"cursor": other})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "query.cursor",
            "rule": "must be the `next` of a page of this list",
            "fix": "leave it out to begin again",
        }
    ]


@given(st.text(max_size=300))
def test_any_text_as_cursor_is_read_or_refused(text: str) -> None:
    with suppress(Invalid):
        assert PageRequest(1, text).after(datetime, UUID) is not None


@pytest.mark.parametrize(
    ("kind", "value"), [(int, 2**63), (int, -(2**63) - 1), (int, 10**400), (str, "a\x00b"), (str, "\ud800")]
)
def test_cursor_whose_value_no_column_could_hold_is_refused(kind: type[Any], value: Any) -> None:
    forged = PageRequest(1).page([0, 0], key=lambda _: (value,), view=lambda row: row).next
    with pytest.raises(Invalid):
        PageRequest(1, forged).after(kind)


def test_cursor_that_is_nested_deeper_than_the_stack_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 768).decode()

    def under(frames: int) -> None:
        if frames:
            return under(frames - 1)
        with pytest.raises(Invalid):
            PageRequest(1, deep).after(int)
        return None

    under(sys.getrecursionlimit() - 600)


storable_text = st.text(st.characters(exclude_characters="\x00", codec="utf-8"))
bigints = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids(), bigints, storable_text)
def test_cursors_carry_what_sorts_a_list(moment: datetime, key: UUID, number: int, text: str) -> None:
    for values in ((moment, key), (number, key), (text, key)):
        page = PageRequest(1).page([values, values], key=lambda row: row, view=lambda row: None)
        assert PageRequest(1, page.next).after(type(values[0]), UUID) == values


# --- versions ----------------------------------------------------------------------------------------------------


async def _put(make_app: Any, client: Client, **headers: str) -> httpx.Response:
    async with client(make_app(router)) as http:
        return await http.put(
            "/item", headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


@pytest.mark.parametrize("given", ['"7"', "*", '"6", "7"', 'W/"7"', ' "7" ', '"7","8"'])
async def test_edit_of_the_present_version_is_let_through(make_app: Any, client: Client, given: str) -> None:
    assert (await _put(make_app, client, if_match=given)).status_code == 200


async def test_edit_of_an_old_version_gets_412_and_the_present_etag(make_app: Any, client: Client) -> None:
    answer = await _put(make_app, client, if_match='"6"')
    assert answer.status_code == 412
    assert answer.headers["etag"] == '"7"'
    assert answer.json()["errors"][0]["field"] == "header.If-Match"


async def test_edit_without_a_version_gets_428(make_app: Any, client: Client) -> None:
    answer = await _put(make_app, client)
    assert answer.status_code == 428
    assert answer.json()["errors"][0]["fix"].startswith("send If-Match")


@pytest.mark.parametrize("given", ["7", '"7', "'7'", '"7" "8"', '"a"b"', "", "**"])
async def test_version_that_cannot_be_read_gets_400(make_app: Any, client: Client, given: str) -> None:
    assert (await _put(make_app, client, if_match=given)).status_code == 400


@pytest.mark.parametrize(
    ("given", "status"), [('"7"', 304), ('W/"7"', 304), ("*", 304), ('"6"', 200), ("", 200)]
)
async def test_reader_who_has_the_version_is_told_so(
    make_app: Any, client: Client, given: str, status: int
) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/item", headers={"if-none-match": given})
    assert answer.status_code == status
    assert answer.headers["etag"] == '"7"'


async def test_openapi_tells_that_edits_can_be_stale(make_app: Any) -> None:
    operation = make_app(router).openapi()["paths"]["/item"]["put"]
    assert {"412", "428"} <= operation["responses"].keys()
    assert operation["parameters"][0]["required"]
    assert operation["parameters"][0]["schema"] == {"type": "string"}


def test_versions_that_would_break_the_header_are_no_etags() -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        etag_of('a"b')


def test_star_stands_for_any_version() -> None:
    Precondition(None).require("anything")
    with pytest.raises(PreconditionFailed):
        Precondition(frozenset()).require("anything")
