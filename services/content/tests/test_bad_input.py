"""What is stale, wrong, unknown or too large is refused by field, rule and cure, at every operation that changes anything;
and nothing is changed.
"""

from __future__ import annotations

import json
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.content.tests import hostile, pictures
from services.content.tests.author import COURSES, Author
from suuupra.db import Database
from suuupra.objects import ObjectStore
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration

COURSE = f"{COURSES}/{{course_id}}"
MODULE = "/v1/authoring/modules/{module_id}"
LESSON = "/v1/authoring/lessons/{lesson_id}"
VISITOR = "/internal/v1/visitors/{visitor_id}"
TEXT = {"kind": "article", "html": "<p>Other</p>"}
DONE = {"state": "completed"}
ORDER: Final = "the course's own, the other way round"


@dataclass(frozen=True)
class Operation:
    """One that changes something, and a body with which it does. `of`: whose version an edit names."""

    method: str
    path: str
    body: Any = None
    of: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


EDITS = [
    Operation("PUT", COURSE, {"title": "Other"}, "course"),
    Operation("DELETE", COURSE, of="course"),
    Operation("PUT", f"{COURSE}/order", ORDER, "course"),
    Operation("POST", f"{COURSE}/publish", of="course"),
    Operation("POST", f"{COURSE}/unpublish", of="course"),
    Operation("PUT", MODULE, {"title": "Other"}, "module"),
    Operation("DELETE", MODULE, of="module"),
    Operation("PUT", LESSON, {"title": "Other", "body": TEXT}, "lesson"),
    Operation("DELETE", LESSON, of="lesson"),
]
UPLOAD = Operation("POST", f"{COURSE}/media", pictures.png(5, 5))
MERGE = Operation("POST", f"{VISITOR}/merge")
CREATES = [
    Operation("POST", COURSES, {"title": "New"}),
    Operation("POST", f"{COURSE}/modules", {"title": "New"}),
    Operation("POST", f"{MODULE}/lessons", {"title": "New", "body": TEXT}),
]
OTHERS = [
    *CREATES,
    Operation("PUT", "/v1/progress/{lesson_id}", DONE),
    Operation("PUT", f"{VISITOR}/progress/{{lesson_id}}", DONE),
    Operation("DELETE", "/v1/authoring/media/{media_id}"),
    UPLOAD,
    MERGE,
]
ALL = [*EDITS, *OTHERS]
WITH_JSON = [operation for operation in ALL if operation.body and operation is not UPLOAD]
WITH_IDS = [operation for operation in ALL if "{" in operation.path and operation is not MERGE]


@dataclass
class Desk:
    """A creator and a course of theirs: published, and each part of it changed since. A visitor read some of it."""

    author: Author
    ids: dict[str, str]
    order: dict[str, Any]
    stale: dict[str, str]
    present: dict[str, str]

    async def send(
        self, it: Operation, *, match: str | None = "*", key: str | None = "", **other: Any
    ) -> httpx.Response:
        """The operation with what it takes, but for what is `other`."""
        headers = dict(self.author.headers)
        if key is not None:
            headers["Idempotency-Key"] = key or str(uuid4())
        if it.of and match is not None:
            headers["If-Match"] = match
        body = self.order if it.body is ORDER else it.body
        given = {"content": body} if it is UPLOAD else {"json": body} if body else {}
        if "content" in other:
            given, headers["Content-Type"] = {}, "application/json"
        options: dict[str, Any] = {**given, "params": {"name": "a.png"} if it is UPLOAD else {}, **other}
        ids = {**self.ids, **options.pop("ids", {})}
        return await self.author.client.request(it.method, it.path.format(**ids), headers=headers, **options)


@pytest_asyncio.fixture
async def desk(author: Author) -> Desk:
    made = await author.published()
    ids = {"course_id": made.id, "module_id": made.module_id, "lesson_id": made.lesson_ids[0]}
    paths = {"course": COURSE, "lesson": LESSON}
    stale = {what: (await author.get(path.format(**ids))).headers["ETag"] for what, path in paths.items()}
    renamed = await author.put(MODULE.format(**ids), {"title": "Renamed"})
    stale["module"] = '"1"'
    changed = await author.put(LESSON.format(**ids), {"title": "Changed", "body": TEXT})
    described = await author.put(COURSE.format(**ids), {"title": "Described"})
    answers = {"module": renamed, "lesson": changed, "course": described}
    present = {what: answer.headers["ETag"] for what, answer in answers.items()}
    assert all(present[what] != stale[what] for what in present)
    uploaded = await author.upload(made.id, "a.png", pictures.png(4, 4))
    ids |= {"media_id": uploaded.json()["id"], "visitor_id": str(uuid4())}
    order = {"modules": [{"id": made.module_id, "lessons": made.lesson_ids[::-1]}]}
    desk = Desk(author, ids, order, stale, present)
    read = Operation("PUT", f"{VISITOR}/progress/{{lesson_id}}", {"state": "started"})
    assert (await desk.send(read)).status_code == 200
    return desk


def named(answer: httpx.Response, status: int, slug: str, field: str) -> str:
    """A problem that says of one field which rule it breaks, and what to do. The rule."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body = answer.json()
    assert body["type"] == f"urn:suuupra:problem:{slug}"
    (fault,) = body["errors"]
    assert fault["field"] == field
    assert fault["fix"]
    rule: str = fault["rule"]
    return rule


def _documented(app: FastAPI) -> dict[tuple[str, str], dict[str, Any]]:
    safe = ("get", "head", "options")
    return {
        (method.upper(), path): operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if method not in safe
    }


async def test_no_operation_that_changes_anything_is_left_out(app: FastAPI) -> None:
    documented = _documented(app)
    assert {(it.method, it.path) for it in ALL} == documented.keys()

    def carrying(header: str) -> set[tuple[str, str]]:
        return {
            key
            for key, operation in documented.items()
            if header in [parameter["name"] for parameter in operation.get("parameters", [])]
        }

    assert {(it.method, it.path) for it in EDITS} == carrying("If-Match")
    assert {(it.method, it.path) for it in CREATES} == carrying("Idempotency-Key")
    of_json = {
        key
        for key, operation in documented.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert {(it.method, it.path) for it in WITH_JSON} == of_json


@pytest.mark.parametrize("it", EDITS, ids=str)
async def test_an_edit_says_which_version_it_means(desk: Desk, database: Database, it: Operation) -> None:
    present = desk.present[it.of]
    async with unchanged(database):
        named(await desk.send(it, match=None), 428, "precondition-required", "header.If-Match")
        named(await desk.send(it, match="7"), 400, "bad-request", "header.If-Match")
        stale = await desk.send(it, match=desk.stale[it.of])
        rule = named(stale, 412, "precondition-failed", "header.If-Match")
        assert (present in rule, stale.headers["ETag"]) == (True, present)
    with pytest.raises(AssertionError):
        async with unchanged(database):
            assert (await desk.send(it, match=present)).is_success


@pytest.mark.parametrize("it", CREATES, ids=str)
async def test_a_create_says_which_it_is(desk: Desk, database: Database, it: Operation) -> None:
    async with unchanged(database):
        named(await desk.send(it, key=None), 400, "bad-request", "header.Idempotency-Key")
        named(await desk.send(it, key="x" * 256), 400, "bad-request", "header.Idempotency-Key")


@pytest.mark.parametrize("it", OTHERS, ids=str)
async def test_what_is_refused_here_for_its_faults_is_done_without_them(
    desk: Desk, database: Database, it: Operation
) -> None:
    with pytest.raises(AssertionError):
        async with unchanged(database):
            assert (await desk.send(it)).is_success


@pytest.mark.parametrize("it", WITH_JSON, ids=str)
async def test_a_wrong_body_is_told_by_field(desk: Desk, database: Database, it: Operation) -> None:
    right = desk.order if it.body is ORDER else it.body
    first = next(iter(right))
    async with unchanged(database):
        for text, column in ((b'{"a": ', 7), (b'{"a" 1}', 6), (b"x", 1)):
            malformed = await desk.send(it, content=text)
            assert f"line 1, column {column}" in named(malformed, 400, "malformed-json", "body")
        for nothing in (b"[]", b"7", b"null", b'"x"'):
            assert "JSON object" in named(await desk.send(it, content=nothing), 422, "invalid", "body")
        assert named(await desk.send(it, content=b""), 422, "invalid", "body") == "is required"
        for name in right:
            missing = {key: value for key, value in right.items() if key != name}
            assert named(await desk.send(it, json=missing), 422, "invalid", f"body.{name}") == "is required"
            values: tuple[object, ...] = (7, True, None, [[]])
            for wrong in values:
                answer = await desk.send(it, json={**right, name: wrong})
                assert answer.status_code == 422
                assert all(fault["field"].startswith(f"body.{name}") for fault in answer.json()["errors"])
                assert all(fault["rule"] and fault["fix"] for fault in answer.json()["errors"])
        unknown = json.dumps({first: right[first], **right, "owner": "me"}).encode()
        rule = named(await desk.send(it, content=unknown), 422, "invalid", "body.owner")
        assert rule == "is not a known field"


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("it", ALL, ids=str)
async def test_a_body_that_is_too_large_is_told_so(
    desk: Desk, database: Database, bucket: ObjectStore, it: Operation, in_chunks: bool
) -> None:
    body = pictures.png() + b"x" * 5_000_000
    kept = [stored.key async for stored in bucket.list()]
    async with unchanged(database):
        answer = await desk.send(it, content=_pieces(body) if in_chunks else body)
        assert "must have at most" in named(answer, 413, "too-large", "body")
    assert [stored.key async for stored in bucket.list()] == kept


@pytest.mark.parametrize("it", WITH_IDS, ids=str)
async def test_an_unknown_id_leads_nowhere(desk: Desk, database: Database, it: Operation) -> None:
    name = it.path.rpartition("{")[2].partition("}")[0]
    async with unchanged(database):
        named(await desk.send(it, ids={name: str(uuid4())}), 404, "not-found", "path")
        for wrong in ("seven", "7", "%00", "0198c5a4-7d3e-7c1a-9c55-0242ac12000g"):
            named(await desk.send(it, ids={name: wrong}), 422, "invalid", f"path.{name}")


@pytest.mark.parametrize("it", [it for it in WITH_JSON if "lessons" in it.path], ids=str)
async def test_a_lesson_is_about_no_unknown_file(desk: Desk, database: Database, it: Operation) -> None:
    elsewhere = await desk.author.upload((await desk.author.course())["id"], "a.pdf", b"%PDF-1.7 text")
    async with unchanged(database):
        for media_id in (str(uuid4()), elsewhere.json()["id"]):
            body = {"kind": "file", "media_id": media_id}
            answer = await desk.send(it, json={"title": "Other", "body": body})
            named(answer, 422, "invalid", "body.body.media_id")
        body = {"kind": "video", "media_id": desk.ids["media_id"], "seconds": 1}
        answer = await desk.send(it, json={"title": "Other", "body": body})
        assert "must be a video" in named(answer, 422, "invalid", "body.body.media_id")


@pytest.mark.parametrize("name", hostile.TEXTS)
@pytest.mark.parametrize(
    "it", [it for it in WITH_JSON if "lessons" in it.path and "html" in str(it.body)], ids=str
)
@pytest.mark.timeout(30)
async def test_a_text_that_costs_more_than_its_length_is_refused_before_it_is_parsed(
    desk: Desk, database: Database, it: Operation, name: str
) -> None:
    text, expected = hostile.TEXTS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with unchanged(database):
        answer = await desk.send(it, json={"title": "Other", "body": {"kind": "article", "html": text}})
        rule = named(answer, 422, "invalid", "body.body.html")
    assert expected in rule
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
