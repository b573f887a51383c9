"""Whose a course is: its creator's, or the platform's; and to operators every course is their own."""

import re
from collections.abc import Callable
from importlib import import_module
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from services.content.domain.authors import PLATFORM
from services.content.tests.author import COURSES, Author
from services.content.tests.pictures import png
from suuupra.db import Database
from suuupra.testing.issuer import Issuer

LESSON = {"title": "A", "body": {"kind": "article", "html": "<p>Mended</p>"}}


@pytest.fixture
def operator(author_of_role: Callable[..., Author]) -> Author:
    """Somebody who runs the platform, with all that their role may have."""
    return author_of_role("operator", "omkar")


def test_no_token_has_the_subject_that_owns_what_came_with_the_platform() -> None:
    """Subjects are UUIDs and ids of clients, which are small letters, digits and dashes."""
    assert not re.fullmatch(r"[0-9a-z-]+", PLATFORM)


@pytest.mark.integration
async def test_an_operator_manages_what_a_creator_wrote(author: Author, operator: Author) -> None:
    made = await author.published()
    (listed,) = (await operator.get(COURSES)).json()["items"]
    assert (listed["id"], listed["owner"]) == (made.id, "asha")
    path = f"{COURSES}/{made.id}"
    read = await operator.get(path)
    lesson = f"/v1/authoring/lessons/{made.lesson_ids[0]}"
    module = f"/v1/authoring/modules/{made.module_id}"
    order = {"modules": [{"id": made.module_id, "lessons": made.lesson_ids[::-1]}]}
    done = [
        await operator.put(path, {"title": "Physics, mended"}, match=read.headers["ETag"]),
        await operator.put(lesson, LESSON),
        await operator.get(lesson),
        await operator.put(f"{path}/order", order),
        await operator.put(module, {"title": "Motion, mended"}),
        await operator.get(f"{path}/statistics"),
        await operator.get(f"{path}/revisions"),
        await operator.get(f"{path}/media"),
    ]
    assert [answer.status_code for answer in done] == [200] * len(done)
    stale = await operator.put(path, {"title": "Late"}, match=read.headers["ETag"])
    assert stale.status_code == 412
    published = await operator.publish(made.id)
    assert (published["number"], published["published_by"]) == (2, "omkar")
    first = (await operator.get(f"{path}/revisions/1")).json()
    assert first["published_by"] == "asha"
    own = (await author.get(path)).json()
    assert (own["owner"], own["title"]) == ("asha", "Physics, mended")


@pytest.mark.integration
async def test_an_operators_courses_are_listed_with_all_others_in_pages(
    author_called: Callable[[str], Author], operator: Author
) -> None:
    for name in ("asha", "ben"):
        await author_called(name).course(f"By {name}")
    own = await operator.course("By omkar")
    assert own["owner"] == "omkar"
    first = (await operator.get(COURSES, params={"limit": 2})).json()
    second = (await operator.get(COURSES, params={"limit": 2, "cursor": first["next"]})).json()
    owners = [it["owner"] for page in (first, second) for it in page["items"]]
    assert owners == ["omkar", "ben", "asha"]
    assert [it["owner"] for it in (await author_called("ben").get(COURSES)).json()["items"]] == ["ben"]


@pytest.mark.integration
async def test_an_operator_reads_what_is_locked_and_what_is_no_more_than_a_draft_with_a_token_for_writing_only(
    author: Author, operator: Author, reader: httpx.AsyncClient, issuer: Issuer
) -> None:
    course = await author.course("Sold", access="entitled")
    module = await author.module(course["id"])
    picture = (await author.upload(course["id"], "a.png", png(2, 2))).json()["url"]
    lesson = await author.lesson(module["id"], "A", f'<p>Text <img src="{picture}" alt="P"></p>')
    browsing = {"Authorization": f"Bearer {issuer.mint('operator', 'omkar', scopes=['orders:read'])}"}
    assert (await operator.get(picture)).status_code == 200
    assert (await reader.get(picture, headers=browsing)).status_code == 404
    await author.publish(course["id"])
    page, contents = f"/v1/lessons/{lesson['id']}", f"/v1/courses/{course['id']}/contents"
    assert (await operator.get(page)).status_code == 200
    assert (await operator.get(contents)).json()["modules"][0]["lessons"][0]["locked"] is False
    assert (await reader.get(page, headers=browsing)).status_code == 403
    assert (await reader.get(picture, headers=browsing)).status_code == 403
    assert (await reader.get(contents, headers=browsing)).json()["modules"][0]["lessons"][0]["locked"] is True
    assert (await reader.get(COURSES, headers=browsing)).status_code == 403


@pytest.mark.integration
async def test_a_course_of_an_issuer_that_is_gone_became_the_platforms(
    author: Author, operator: Author, database: Database
) -> None:
    """As it is where the platform was brought up before there were accounts."""
    old, other = await author.course("Old"), await author.course("Other")
    migration = import_module("services.content.migrations.versions.0004_owners")
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE course SET owner = 'local-creator' WHERE id = :id"), {"id": old["id"]})
        await tx.execute(text(migration._OWNER))
    owners = {it["id"]: it["owner"] for it in (await operator.get(COURSES)).json()["items"]}
    assert owners == {old["id"]: PLATFORM, other["id"]: "asha"}
    assert (await author.get(f"{COURSES}/{old['id']}")).status_code == 404
    assert (await operator.get(f"{COURSES}/{uuid4()}")).status_code == 404
