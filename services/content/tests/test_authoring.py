"""Creators write courses; only their own."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from services.content.tests.author import COURSES, Author
from services.content.usecases import publishing
from suuupra.db import Database
from suuupra.ids import new_id
from suuupra.testing.issuer import Issuer
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration

SOMEWHERE = "0198c5a4-7d3e-7c1a-9c55-0242ac120002"
AUTHORING = [
    ("GET", COURSES),
    ("POST", COURSES),
    ("GET", f"{COURSES}/{SOMEWHERE}"),
    ("PUT", f"{COURSES}/{SOMEWHERE}"),
    ("DELETE", f"{COURSES}/{SOMEWHERE}"),
    ("PUT", f"{COURSES}/{SOMEWHERE}/order"),
    ("POST", f"{COURSES}/{SOMEWHERE}/publish"),
    ("POST", f"{COURSES}/{SOMEWHERE}/unpublish"),
    ("GET", f"{COURSES}/{SOMEWHERE}/revisions"),
    ("GET", f"{COURSES}/{SOMEWHERE}/revisions/1"),
    ("GET", f"{COURSES}/{SOMEWHERE}/statistics"),
    ("GET", f"{COURSES}/{SOMEWHERE}/media"),
    ("POST", f"{COURSES}/{SOMEWHERE}/media?name=a"),
    ("POST", f"{COURSES}/{SOMEWHERE}/modules"),
    ("PUT", f"/v1/authoring/modules/{SOMEWHERE}"),
    ("DELETE", f"/v1/authoring/modules/{SOMEWHERE}"),
    ("POST", f"/v1/authoring/modules/{SOMEWHERE}/lessons"),
    ("GET", f"/v1/authoring/lessons/{SOMEWHERE}"),
    ("PUT", f"/v1/authoring/lessons/{SOMEWHERE}"),
    ("DELETE", f"/v1/authoring/lessons/{SOMEWHERE}"),
    ("DELETE", f"/v1/authoring/media/{SOMEWHERE}"),
]


async def test_anonymous_is_asked_who_they_are(reader: httpx.AsyncClient) -> None:
    for method, path in AUTHORING:
        answer = await reader.request(method, path, headers={"If-Match": "*", "Idempotency-Key": "k"})
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer"), path


async def test_a_learner_may_not_write(reader: httpx.AsyncClient, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.mint('learner')}", "If-Match": "*", "Idempotency-Key": "k"}
    for method, path in AUTHORING:
        assert (await reader.request(method, path, headers=headers)).status_code == 403, path


async def test_what_is_somebody_elses_is_not_there(author_called: Callable[[str], Author]) -> None:
    asha, ben = author_called("asha"), author_called("ben")
    made = await asha.published()
    uploaded = await asha.upload(made.id, "a.pdf", b"%PDF-1.7 text")
    fields, lesson = {"title": "Mine"}, {"title": "x", "body": {"kind": "article", "html": "x"}}
    answers = [
        await ben.get(f"{COURSES}/{made.id}"),
        await ben.put(f"{COURSES}/{made.id}", fields),
        await ben.delete(f"{COURSES}/{made.id}"),
        await ben.put(f"{COURSES}/{made.id}/order", {"modules": []}),
        await ben.act(f"{COURSES}/{made.id}/publish"),
        await ben.act(f"{COURSES}/{made.id}/unpublish"),
        await ben.get(f"{COURSES}/{made.id}/revisions"),
        await ben.get(f"{COURSES}/{made.id}/revisions/1"),
        await ben.get(f"{COURSES}/{made.id}/statistics"),
        await ben.get(f"{COURSES}/{made.id}/media"),
        await ben.upload(made.id, "a.pdf", b"%PDF-1.7 other"),
        await ben.post(f"{COURSES}/{made.id}/modules", fields),
        await ben.put(f"/v1/authoring/modules/{made.module_id}", fields),
        await ben.delete(f"/v1/authoring/modules/{made.module_id}"),
        await ben.post(f"/v1/authoring/modules/{made.module_id}/lessons", lesson),
        await ben.get(f"/v1/authoring/lessons/{made.lesson_ids[0]}"),
        await ben.put(f"/v1/authoring/lessons/{made.lesson_ids[0]}", lesson),
        await ben.delete(f"/v1/authoring/lessons/{made.lesson_ids[0]}"),
        await ben.delete(f"/v1/authoring/media/{uploaded.json()['id']}"),
        await ben.get(uploaded.json()["url"]),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert (await ben.get(COURSES)).json()["items"] == []


async def test_a_course_gets_a_slug_and_a_second_one_another(author: Author) -> None:
    first, second = await author.course("हिन्दी 101"), await author.course("हिन्दी 101")
    assert (first["slug"], second["slug"]) == ("हिन्दी-101", "हिन्दी-2")
    taken = await author.post(COURSES, {"title": "x", "slug": first["slug"]})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:suuupra:problem:slug-taken")


async def test_the_same_key_makes_one_course(author: Author) -> None:
    body = {"title": "Once"}
    first = await author.post(COURSES, body, key="a-key-of-mine")
    again = await author.post(COURSES, body, key="a-key-of-mine")
    other = await author.post(COURSES, {"title": "Twice"}, key="a-key-of-mine")
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.status_code == 422
    assert len((await author.get(COURSES)).json()["items"]) == 1


async def test_of_two_edits_at_once_one_wins(author: Author) -> None:
    course = await author.course()
    path = f"{COURSES}/{course['id']}"
    tag = (await author.get(path)).headers["ETag"]
    edits = await asyncio.gather(*(author.put(path, {"title": f"T{n}"}, match=tag) for n in range(4)))
    assert sorted(answer.status_code for answer in edits) == [200, 412, 412, 412]


async def test_lessons_stand_where_they_are_put(author: Author) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    for title, position in [("b", None), ("a", 0), ("c", None)]:
        await author.lesson(module["id"], title, position=position)
    (shown,) = (await author.get(f"{COURSES}/{course['id']}")).json()["modules"]
    assert [lesson["title"] for lesson in shown["lessons"]] == ["a", "b", "c"]


async def test_a_new_order_moves_lessons_between_modules(author: Author) -> None:
    course = await author.course()
    one, two = await author.module(course["id"], "One"), await author.module(course["id"], "Two")
    ids = [(await author.lesson(one["id"], title))["id"] for title in "abc"]
    order = {
        "modules": [{"id": two["id"], "lessons": [ids[2], ids[0]]}, {"id": one["id"], "lessons": [ids[1]]}]
    }
    answer = await author.put(f"{COURSES}/{course['id']}/order", order)
    shown = [(it["title"], [lesson["title"] for lesson in it["lessons"]]) for it in answer.json()["modules"]]
    assert shown == [("Two", ["c", "a"]), ("One", ["b"])]


async def test_an_incomplete_order_is_refused_and_changes_nothing(author: Author, database: Database) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    lesson = await author.lesson(module["id"], "a")
    orders = [
        {"modules": []},
        {"modules": [{"id": module["id"], "lessons": []}]},
        {"modules": [{"id": module["id"], "lessons": [lesson["id"], lesson["id"]]}]},
        {"modules": [{"id": module["id"], "lessons": [lesson["id"], SOMEWHERE]}]},
    ]
    async with unchanged(database):
        for order in orders:
            answer = await author.put(f"{COURSES}/{course['id']}/order", order)
            assert answer.status_code == 422
            errors = answer.json()["errors"]
            assert all(error["field"].startswith("body.") and error["fix"] for error in errors)


async def test_deleting_closes_the_gap(author: Author) -> None:
    course = await author.course()
    one, two = await author.module(course["id"], "One"), await author.module(course["id"], "Two")
    ids = [(await author.lesson(two["id"], title))["id"] for title in "abc"]
    assert (await author.delete(f"/v1/authoring/lessons/{ids[1]}")).status_code == 204
    assert (await author.delete(f"/v1/authoring/modules/{one['id']}")).status_code == 204
    await author.lesson(two["id"], "d", position=1)
    (shown,) = (await author.get(f"{COURSES}/{course['id']}")).json()["modules"]
    assert [lesson["title"] for lesson in shown["lessons"]] == ["a", "d", "c"]


async def test_articles_are_sanitised_when_they_are_saved(author: Author) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    lesson = await author.lesson(module["id"], "a", "<p onclick=x>Hi<script>alert(1)</script></p>")
    assert lesson["html"] == "<p>Hi</p>"
    change = {"title": "a", "body": {"kind": "article", "html": "<p>Ho<img src=x onerror=y></p>"}}
    changed = await author.put(f"/v1/authoring/lessons/{lesson['id']}", change, match='"1"')
    assert (changed.json()["html"], changed.json()["version"]) == ("<p>Ho</p>", 2)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({}, "body.title", "is required"),
        ({"title": ""}, "body.title", "at least 1 character"),
        ({"title": "x" * 201}, "body.title", "at most 200 characters"),
        ({"title": "a\nb"}, "body.title", "control characters"),
        ({"title": 7}, "body.title", "valid string"),
        ({"title": "x", "slug": "Not-A-Slug"}, "body.slug", "lower-case"),
        ({"title": "x", "slug": SOMEWHERE}, "body.slug", "no UUID"),
        ({"title": "x", "language": "english"}, "body.language", "pattern"),
        ({"title": "x", "source": "javascript:alert(1)"}, "body.source", "pattern"),
        ({"title": "x", "description": "x" * 10_001}, "body.description", "at most 10000"),
        ({"title": "x", "description": "a\x00b"}, "body.description", "NUL"),
        ({"title": "x", "outcomes": ["y"] * 21}, "body.outcomes", "at most 20 items"),
        ({"title": "x", "owner": "me"}, "body.owner", "not a known"),
        ([], "body", "JSON object"),
    ],
)
async def test_a_wrong_field_is_named_with_rule_and_fix(
    author: Author, database: Database, body: object, field: str, rule: str
) -> None:
    async with unchanged(database):
        answer = await author.post(COURSES, body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert rule in error["rule"]
    assert error["fix"]


@pytest.mark.parametrize("html", ["<div>" * 20_000, "<b>" * 300 + "<p>x" * 50])
async def test_a_text_nested_too_deeply_is_refused_at_once(author: Author, html: str) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    new = {"title": "a", "body": {"kind": "article", "html": html}}
    began = time.process_time()
    answer = await author.post(f"/v1/authoring/modules/{module['id']}/lessons", new)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.body.html"
    assert time.process_time() - began < 1.0


async def test_an_order_of_very_many_is_compared_at_once(author: Author) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    ids = [str(new_id()) for _ in range(20_000)]
    order = {"modules": [{"id": module["id"], "lessons": ids}]}
    began = time.process_time()
    answer = await author.put(f"{COURSES}/{course['id']}/order", order)
    assert answer.status_code == 422
    assert time.process_time() - began < 2.0


async def test_a_course_longer_than_memory_allows_is_not_published(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MAX_CHARACTERS", 10)
    course = await author.course()
    module = await author.module(course["id"])
    await author.lesson(module["id"], "a", "<p>Longer than ten</p>")
    answer = await author.act(f"{COURSES}/{course['id']}/publish")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "course.lessons"


async def test_own_courses_come_in_pages(author: Author) -> None:
    for number in range(5):
        await author.course(f"C{number}")
    titles, cursor = [], None
    for _ in range(3):
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await author.get(COURSES, params=query)).json()
        titles += [item["title"] for item in page["items"]]
        cursor = page["next"]
    assert titles == ["C4", "C3", "C2", "C1", "C0"]
    assert cursor is None
