"""Learners read what was published, all of it, and nothing else."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.content.tests.author import COURSES, Author
from suuupra.clock import FakeClock
from suuupra.db import Database

pytestmark = pytest.mark.integration


async def events(database: Database) -> list[tuple[str, int]]:
    """Types and sequences in the outbox, in order."""
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT type, sequence FROM outbox ORDER BY position"))
        return [(row[0], row[1]) for row in rows]


async def test_a_draft_is_not_there_for_readers(reader: httpx.AsyncClient, author: Author) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    lesson = await author.lesson(module["id"], "Secret")
    for path in (
        f"/v1/courses/{course['id']}",
        f"/v1/courses/{course['slug']}",
        f"/v1/courses/{course['id']}/contents",
        f"/v1/courses/{course['slug']}/lessons/{lesson['slug']}",
        f"/v1/lessons/{lesson['id']}",
    ):
        assert (await reader.get(path)).status_code == 404, path
    assert (await reader.get("/v1/courses")).json() == {"items": [], "next": None}


async def test_an_edit_is_seen_when_it_is_published(
    reader: httpx.AsyncClient, author: Author, database: Database
) -> None:
    made = await author.published()
    address = f"/v1/lessons/{made.lesson_ids[0]}"
    before = (await reader.get(address)).json()
    change = {"title": "Better", "body": {"kind": "article", "html": "<p>Better</p>"}}
    await author.put(f"/v1/authoring/lessons/{made.lesson_ids[0]}", change)
    await author.put(f"{COURSES}/{made.id}", {"title": "New title"})
    assert (await reader.get(address)).json() == before
    assert (await author.publish(made.id))["number"] == 2
    after = (await reader.get(address)).json()
    assert (after["title"], after["html"], after["course_title"], after["revision"]) == (
        "Better",
        "<p>Better</p>",
        "New title",
        2,
    )
    assert await events(database) == [("course.published", 1), ("course.published", 2)]


async def test_publishing_the_same_again_changes_nothing(author: Author, database: Database) -> None:
    made = await author.published()
    assert (await author.publish(made.id))["number"] == 1
    assert await events(database) == [("course.published", 1)]


async def test_two_publications_at_once_are_one(author: Author, database: Database) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    await author.lesson(module["id"], "a")
    await asyncio.gather(*(author.act(f"{COURSES}/{course['id']}/publish") for _ in range(3)))
    assert await events(database) == [("course.published", 1)]


async def test_an_unfinished_course_says_what_it_lacks(author: Author) -> None:
    course = await author.course()
    path = f"{COURSES}/{course['id']}/publish"
    empty = await author.act(path)
    assert (empty.status_code, empty.json()["type"]) == (409, "urn:suuupra:problem:course-incomplete")
    module = await author.module(course["id"])
    await author.module(course["id"], "Empty")
    await author.lesson(module["id"], "a", "")
    fields = [error["field"] for error in (await author.act(path)).json()["errors"]]
    assert fields[0] == "course.modules[1]"
    assert fields[1].endswith(".html")


async def test_a_withdrawn_course_is_gone_until_it_is_published_again(
    reader: httpx.AsyncClient, author: Author, database: Database
) -> None:
    made = await author.published()
    assert (await author.act(f"{COURSES}/{made.id}/unpublish")).json()["shown_revision"] is None
    assert (await author.act(f"{COURSES}/{made.id}/unpublish")).status_code == 200
    assert (await reader.get(f"/v1/courses/{made.id}")).status_code == 404
    assert (await reader.get(f"/v1/lessons/{made.lesson_ids[0]}")).status_code == 404
    assert (await author.publish(made.id))["number"] == 2
    assert (await reader.get(f"/v1/courses/{made.id}")).status_code == 200
    assert [type_ for type_, _ in await events(database)] == [
        "course.published",
        "course.unpublished",
        "course.published",
    ]


async def test_a_deleted_course_is_gone_and_says_so(
    reader: httpx.AsyncClient, author: Author, database: Database
) -> None:
    made = await author.published()
    assert (await author.delete(f"{COURSES}/{made.id}")).status_code == 204
    assert (await reader.get(f"/v1/courses/{made.slug}")).status_code == 404
    assert (await author.get(f"{COURSES}/{made.id}")).status_code == 404
    assert (await events(database))[-1] == ("course.unpublished", 2)


async def test_a_lesson_knows_its_place_and_its_neighbours(reader: httpx.AsyncClient, author: Author) -> None:
    made = await author.published(lessons=3)
    page = (await reader.get(f"/v1/courses/{made.slug}/lessons/lesson-2")).json()
    assert (page["number"], page["count"]) == (2, 3)
    assert (page["previous"]["slug"], page["next"]["slug"]) == ("lesson-1", "lesson-3")
    assert page == (await reader.get(f"/v1/courses/{made.id}/lessons/{made.lesson_ids[1]}")).json()
    assert page == (await reader.get(f"/v1/courses/{made.slug}/lessons/{made.lesson_ids[1]}")).json()
    assert page == (await reader.get(f"/v1/courses/{made.id}/lessons/lesson-2")).json()
    first = (await reader.get(f"/v1/lessons/{made.lesson_ids[0]}")).json()
    assert first["previous"] is None


async def test_a_lesson_is_not_found_in_another_course(reader: httpx.AsyncClient, author: Author) -> None:
    one, two = await author.published("One"), await author.published("Two")
    for course in (two.id, two.slug):
        assert (await reader.get(f"/v1/courses/{course}/lessons/{one.lesson_ids[0]}")).status_code == 404


async def test_links_follow_a_lesson_that_is_renamed(reader: httpx.AsyncClient, author: Author) -> None:
    made = await author.published()
    first, second = made.lesson_ids
    link = {
        "title": "Lesson 1",
        "body": {"kind": "article", "html": f'<a href="/v1/lessons/{second}#x">on</a>'},
    }
    await author.put(f"/v1/authoring/lessons/{first}", link)
    renamed = {"title": "Force", "slug": "force", "body": {"kind": "article", "html": '<p id="x">F</p>'}}
    await author.put(f"/v1/authoring/lessons/{second}", renamed)
    await author.publish(made.id)
    html = (await reader.get(f"/v1/lessons/{first}")).json()["html"]
    assert html == f'<a href="/courses/{made.slug}/lessons/force#s-x">on</a>'.replace("#s-x", "#x")
    await author.delete(f"/v1/authoring/lessons/{second}")
    await author.publish(made.id)
    assert (await reader.get(f"/v1/lessons/{first}")).json()[
        "html"
    ] == f'<a href="/courses/{made.slug}">on</a>'


async def test_contents_and_details_agree(reader: httpx.AsyncClient, author: Author) -> None:
    made = await author.published(lessons=2)
    contents = (await reader.get(f"/v1/courses/{made.slug}/contents")).json()
    details = (await reader.get(f"/v1/courses/{made.slug}")).json()
    (module,) = contents["modules"]
    assert [lesson["id"] for lesson in module["lessons"]] == made.lesson_ids
    assert details["lesson_count"] == 2
    assert contents["revision"] == details["revision"] == 1


async def test_what_a_reader_has_is_not_sent_again(reader: httpx.AsyncClient, author: Author) -> None:
    made = await author.published()
    for path in (
        f"/v1/courses/{made.id}",
        f"/v1/courses/{made.id}/contents",
        f"/v1/lessons/{made.lesson_ids[0]}",
    ):
        first = await reader.get(path)
        again = await reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert "max-age" in again.headers["Cache-Control"]


async def catalogue(reader: httpx.AsyncClient, **query: Any) -> list[str]:
    page = (await reader.get("/v1/courses", params=query)).json()
    return [item["title"] for item in page["items"]]


async def test_titles_are_found_by_the_beginnings_of_their_words(
    reader: httpx.AsyncClient, author: Author
) -> None:
    for title in ("The Python Tutorial", "Python for Physicists", "Physics", "हिन्दी व्याकरण"):
        await author.published(title, lessons=1)
    assert await catalogue(reader, q="pyth") == ["Python for Physicists", "The Python Tutorial"]
    assert await catalogue(reader, q="phys pyth") == ["Python for Physicists"]
    assert await catalogue(reader, q="हिन्दी") == ["हिन्दी व्याकरण"]
    assert await catalogue(reader, q="' | !()&:*<->\\") == []
    assert await catalogue(reader, q="zebra") == []
    assert len(await catalogue(reader, q=" ")) == 4
    assert (await reader.get("/v1/courses", params={"q": "x" * 201})).status_code == 422


async def test_the_catalogue_comes_in_pages_that_new_courses_do_not_shift(
    reader: httpx.AsyncClient, author: Author, clock: FakeClock
) -> None:
    for number in range(3):
        await author.published(f"C{number}", lessons=1)
        clock.advance(60)
    first = (await reader.get("/v1/courses", params={"limit": 2})).json()
    await author.published("C3", lessons=1)
    second = (await reader.get("/v1/courses", params={"limit": 2, "cursor": first["next"]})).json()
    assert [item["title"] for item in first["items"] + second["items"]] == ["C2", "C1", "C0"]
    assert second["next"] is None
    for cursor in ("x", "AAAA", "W10", first["next"][:-4]):
        refused = await reader.get("/v1/courses", params={"cursor": cursor})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "query.cursor")


async def test_unknown_and_odd_ids_are_not_found(reader: httpx.AsyncClient) -> None:
    for path, status in (
        ("/v1/courses/none", 404),
        ("/v1/courses/0198c5a4-7d3e-7c1a-9c55-0242ac120002", 404),
        ("/v1/courses/%00", 422),
        (f"/v1/courses/{'x' * 121}", 422),
        ("/v1/lessons/none", 422),
        ("/v1/nothing", 404),
    ):
        refused = await reader.get(path)
        assert refused.status_code == status, path
        assert all(set(error) == {"field", "rule", "fix"} for error in refused.json()["errors"]), path
        assert refused.json()["errors"][0]["field"].startswith("path"), path


async def test_every_revision_is_remembered(author: Author) -> None:
    made = await author.published(lessons=1)
    await author.lesson(made.module_id, "Added")
    await author.publish(made.id)
    page = (await author.get(f"{COURSES}/{made.id}/revisions")).json()
    assert [(it["number"], it["lesson_count"], it["shown"]) for it in page["items"]] == [
        (2, 2, True),
        (1, 1, False),
    ]
    first = (await author.get(f"{COURSES}/{made.id}/revisions/1")).json()
    assert [it["title"] for it in first["contents"]["modules"][0]["lessons"]] == ["Lesson 1"]
    assert (await author.get(f"{COURSES}/{made.id}/revisions/3")).status_code == 404
