"""Courses that are sold: what everybody reads of them, and what only those who are entitled."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from services.commerce.contract import EntitlementGranted, EntitlementRevoked, entitlement_key
from services.content.consumers import consumers
from services.content.settings import Settings
from services.content.tests.author import COURSES, Author, Published
from services.content.tests.conftest import OWNER
from services.content.tests.pictures import png
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.events import Meta
from suuupra.testing.issuer import Issuer
from suuupra.testing.spoilt import spoilt

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Entitle = Callable[..., Any]


@pytest.fixture
def entitle(database: Database, content_settings: Settings, clock: FakeClock) -> Entitle:
    """`await entitle(user, course, True, 1)`: commerce's event with that sequence is consumed."""
    handlers = {it.event: it.handle for it in consumers(content_settings, clock)}

    async def deliver(user: UUID, course: str, granted: bool, sequence: int) -> None:
        kind = EntitlementGranted if granted else EntitlementRevoked
        when = {"granted_at": NOW} if granted else {"revoked_at": NOW}
        event = kind.model_validate({"user_id": user, "course_id": course, "order_id": uuid4(), **when})
        async with database.transaction() as tx:
            await handlers[kind](tx, [(event, meta(kind.type, user, course, sequence))])

    return deliver


def meta(type_: str, user: UUID, course: str, sequence: int) -> Meta:
    return Meta(
        id=uuid4(),
        type=type_,
        version=1,
        source="/services/commerce",
        subject=entitlement_key(user, UUID(course)),
        sequence=sequence,
        after={},
        time=NOW,
        traceparent=None,
        topic=type_,
        partition=0,
        offset=sequence,
    )


@pytest.fixture
def bearer(issuer: Issuer) -> Callable[[object], dict[str, str]]:
    return lambda user: {"Authorization": f"Bearer {issuer.mint('learner', str(user))}"}


async def sold(author: Author, *, lessons: int = 3, preview: int = 1, html: str = "") -> Published:
    """A published course of which the first lessons are a preview."""
    course = await author.course("Physics", access="entitled", preview_lessons=preview)
    module = await author.module(course["id"])
    texts = [html or f"<p>Text {number}</p>" for number in range(1, lessons + 1)]
    made = [
        await author.lesson(module["id"], f"Lesson {number}", it) for number, it in enumerate(texts, start=1)
    ]
    await author.publish(course["id"])
    return Published(course["id"], course["slug"], module["id"], [it["id"] for it in made])


def locks(contents: httpx.Response) -> list[bool]:
    return [lesson["locked"] for module in contents.json()["modules"] for lesson in module["lessons"]]


async def test_the_preview_is_for_everybody_and_the_rest_says_what_it_takes(
    reader: httpx.AsyncClient, author: Author, bearer: Callable[[object], dict[str, str]]
) -> None:
    made = await sold(author)
    assert (await reader.get(f"/v1/lessons/{made.lesson_ids[0]}")).status_code == 200
    for headers in ({}, bearer(uuid4()), bearer("no-uuid")):
        for path in (f"/v1/lessons/{made.lesson_ids[1]}", f"/v1/courses/{made.slug}/lessons/lesson-2"):
            refused = await reader.get(path, headers=headers)
            problem = refused.json()
            assert (refused.status_code, problem["type"]) == (403, "urn:suuupra:problem:not-entitled")
            assert problem["course_id"] == made.id
            assert "Text 2" not in refused.text


async def test_the_catalogue_the_course_and_its_contents_tell_what_is_locked(
    reader: httpx.AsyncClient, author: Author
) -> None:
    made = await sold(author, lessons=3, preview=2)
    (listed,) = (await reader.get("/v1/courses")).json()["items"]
    details = (await reader.get(f"/v1/courses/{made.id}")).json()
    for shown in (listed, details):
        assert (shown["access"], shown["preview_lessons"]) == ("entitled", 2)
    contents = await reader.get(f"/v1/courses/{made.slug}/contents")
    assert locks(contents) == [False, False, True]
    assert "Authorization" in contents.headers["Vary"]


async def test_an_entitled_learner_reads_everything_until_it_is_taken_back(
    reader: httpx.AsyncClient,
    author: Author,
    entitle: Entitle,
    bearer: Callable[[object], dict[str, str]],
) -> None:
    made, user = await sold(author), uuid4()
    lesson, contents = f"/v1/lessons/{made.lesson_ids[2]}", f"/v1/courses/{made.id}/contents"
    await entitle(user, made.id, True, 1)
    page = await reader.get(lesson, headers=bearer(user))
    assert (page.status_code, page.json()["html"]) == (200, "<p>Text 3</p>")
    assert page.headers["Cache-Control"].startswith("private")
    own = await reader.get(contents, headers=bearer(user))
    assert locks(own) == [False, False, False]
    assert own.headers["Cache-Control"].startswith("private")
    assert own.headers["ETag"] != (await reader.get(contents)).headers["ETag"]
    again = await reader.get(lesson, headers={**bearer(user), "If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304
    assert (await reader.get(lesson, headers=bearer(uuid4()))).status_code == 403
    await entitle(user, made.id, False, 2)
    assert (await reader.get(lesson, headers=bearer(user))).status_code == 403
    assert locks(await reader.get(contents, headers=bearer(user))) == [False, True, True]


async def test_an_entitlement_to_one_course_opens_no_other(
    reader: httpx.AsyncClient,
    author: Author,
    entitle: Entitle,
    bearer: Callable[[object], dict[str, str]],
) -> None:
    one, two, user = await sold(author), await sold(author), uuid4()
    await entitle(user, one.id, True, 1)
    refused = await reader.get(f"/v1/lessons/{two.lesson_ids[1]}", headers=bearer(user))
    assert (refused.status_code, refused.json()["course_id"]) == (403, two.id)


async def test_its_owner_reads_all_of_a_course_and_another_creator_does_not(
    reader: httpx.AsyncClient, author: Author, author_called: Callable[[str], Author]
) -> None:
    made = await sold(author)
    assert (await author.get(f"/v1/lessons/{made.lesson_ids[1]}")).status_code == 200
    assert (await author_called("ravi").get(f"/v1/lessons/{made.lesson_ids[1]}")).status_code == 403


@pytest.mark.parametrize("seed", range(5))
async def test_events_in_any_order_and_any_number_end_as_the_last_one_says(
    author: Author, entitle: Entitle, database: Database, seed: int
) -> None:
    made, user = await sold(author), uuid4()
    deliveries = [(True, 1), (False, 2), (True, 3), (False, 4)] * 2
    random.Random(seed).shuffle(deliveries)
    for granted, sequence in deliveries:
        await entitle(user, made.id, granted, sequence)
    async with database.reading() as tx:
        rows = (await tx.execute(text("SELECT granted, sequence FROM entitlement"))).all()
    assert [tuple(row) for row in rows] == [(False, 4)]


async def test_t3_a_spoilt_token_opens_nothing_of_what_is_sold(
    reader: httpx.AsyncClient, author: Author, issuer: Issuer
) -> None:
    """Each is a token of the course's owner, spoilt. What is open to everybody takes no token, so it judges none."""
    made = await sold(author)
    preview, lesson = (f"/v1/lessons/{it}" for it in made.lesson_ids[:2])
    contents = f"/v1/courses/{made.slug}/contents"
    locked = [contents, lesson, f"/v1/courses/{made.slug}/lessons/lesson-2"]
    assert [(await author.get(path)).status_code for path in locked] == [200] * 3
    assert locks(await author.get(contents)) == [False] * 3
    for why, token in spoilt(issuer, OWNER).items():
        headers = {"Authorization": f"Bearer {token}"}
        for path in locked:
            answer = await reader.get(path, headers=headers)
            assert answer.status_code == 401, f"{why} at {path}"
            assert "invalid_token" in answer.headers["www-authenticate"], f"{why} at {path}"
            assert "Text 2" not in answer.text
        assert (await reader.get(preview, headers=headers)).status_code == 200, why


async def test_access_changes_when_the_course_is_published(reader: httpx.AsyncClient, author: Author) -> None:
    made = await author.published(lessons=2)
    lesson = f"/v1/lessons/{made.lesson_ids[1]}"
    await author.put(f"{COURSES}/{made.id}", {"title": "Physics", "access": "entitled"})
    assert (await reader.get(lesson)).status_code == 200
    assert (await author.publish(made.id))["number"] == 2
    assert (await reader.get(lesson)).status_code == 403
    # An edit by a client that knows nothing of access must not give the course away.
    await author.put(f"{COURSES}/{made.id}", {"title": "Better physics"})
    await author.publish(made.id)
    assert (await reader.get(lesson)).status_code == 403
    draft = (await author.get(f"{COURSES}/{made.id}")).json()
    assert (draft["access"], draft["preview_lessons"]) == ("entitled", 0)
    await author.put(f"{COURSES}/{made.id}", {"title": "Physics", "access": "open"})
    await author.publish(made.id)
    assert (await reader.get(lesson)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"access": "secret"}, "body.access"),
        ({"preview_lessons": -1}, "body.preview_lessons"),
        ({"preview_lessons": 10_000}, "body.preview_lessons"),
    ],
)
async def test_wrong_access_is_refused(author: Author, fields: dict[str, object], field: str) -> None:
    refused = await author.post(COURSES, {"title": "Physics", **fields})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


class Shown:
    """A sold course: its first lesson shows one picture, its second that one and another."""

    def __init__(self, course: Published, both: str, locked: str) -> None:
        self.course, self.both, self.locked = course, both, locked


async def with_pictures(author: Author) -> Shown:
    course = await author.course("Physics", access="entitled", preview_lessons=1)
    module = await author.module(course["id"])
    both, locked = [
        (await author.upload(course["id"], f"{size}.png", png(size, size))).json()["url"] for size in (2, 3)
    ]
    first = await author.lesson(module["id"], "Lesson 1", f'<p><img src="{both}"></p>')
    second = await author.lesson(
        module["id"], "Lesson 2", f'<p><img src="{both}"> <a href="{locked}">a</a> <img src="{locked}"></p>'
    )
    await author.publish(course["id"])
    made = Published(course["id"], course["slug"], module["id"], [first["id"], second["id"]])
    return Shown(made, both, locked)


def pictures_of(page: httpx.Response) -> list[str]:
    html = page.json()["html"]
    return [part.partition('"')[0].replace("&amp;", "&") for part in html.split('src="')[1:]]


async def test_a_file_of_a_locked_lesson_is_locked_and_one_that_the_preview_shows_is_not(
    reader: httpx.AsyncClient,
    author: Author,
    entitle: Entitle,
    bearer: Callable[[object], dict[str, str]],
) -> None:
    shown, user = await with_pictures(author), uuid4()
    assert (await reader.get(shown.both)).headers["Cache-Control"].startswith("public")
    refused = await reader.get(shown.locked)
    assert (refused.status_code, refused.json()["course_id"]) == (403, shown.course.id)
    assert (await reader.get(shown.locked, headers=bearer(user))).status_code == 403
    await entitle(user, shown.course.id, True, 1)
    own = await reader.get(shown.locked, headers=bearer(user))
    assert (own.status_code, own.content) == (200, png(3, 3))
    assert own.headers["Cache-Control"].startswith("private")
    assert (await author.delete(f"/v1/authoring/media/{shown.locked.split('/')[3]}")).status_code == 409


async def test_a_browser_loads_the_pictures_of_an_unlocked_page_without_a_token_for_some_hours(
    reader: httpx.AsyncClient,
    author: Author,
    entitle: Entitle,
    bearer: Callable[[object], dict[str, str]],
    clock: FakeClock,
) -> None:
    shown, user = await with_pictures(author), uuid4()
    await entitle(user, shown.course.id, True, 1)
    page = await reader.get(f"/v1/lessons/{shown.course.lesson_ids[1]}", headers=bearer(user))
    assert len(pictures_of(page)) == 2
    for address in pictures_of(page):
        assert "?seal=" in address
        assert (await reader.get(address)).status_code == 200
    _, sealed = pictures_of(page)
    assert (await reader.get(sealed[:-1] + ("A" if sealed[-1] != "A" else "B"))).status_code == 403
    clock.advance(8 * 3600)
    assert (await reader.get(sealed)).status_code == 403
    fresh = await reader.get(f"/v1/lessons/{shown.course.lesson_ids[1]}", headers=bearer(user))
    assert (await reader.get(pictures_of(fresh)[1])).status_code == 200


async def test_a_creator_cannot_have_the_files_of_anothers_course_sealed(
    reader: httpx.AsyncClient, author: Author, author_called: Callable[[str], Author]
) -> None:
    shown = await with_pictures(author)
    thief = author_called("ravi")
    theirs = await sold(thief, html=f'<p><img src="{shown.locked}"></p>')
    page = await thief.get(f"/v1/lessons/{theirs.lesson_ids[1]}")
    (address,) = pictures_of(page)
    assert "?seal=" in address
    assert (await reader.get(address)).status_code == 403


async def test_a_withdrawn_course_locks_its_files_for_all_but_its_owner(
    reader: httpx.AsyncClient, author: Author, entitle: Entitle, bearer: Callable[[object], dict[str, str]]
) -> None:
    shown, user = await with_pictures(author), uuid4()
    await entitle(user, shown.course.id, True, 1)
    await author.act(f"{COURSES}/{shown.course.id}/unpublish")
    assert (await reader.get(shown.locked, headers=bearer(user))).status_code == 404
    assert (await author.get(shown.locked)).status_code == 200


async def test_progress_is_kept_only_of_lessons_that_the_learner_can_have_read(
    reader: httpx.AsyncClient,
    author: Author,
    entitle: Entitle,
    bearer: Callable[[object], dict[str, str]],
) -> None:
    made, user, visitor = await sold(author), uuid4(), uuid4()
    done = {"state": "completed"}
    locked = made.lesson_ids[1]
    by_visitor = f"/internal/v1/visitors/{visitor}/progress"
    assert (await reader.put(f"{by_visitor}/{made.lesson_ids[0]}", json=done)).status_code == 200
    assert (await reader.put(f"{by_visitor}/{locked}", json=done)).status_code == 403
    own = f"/v1/progress/{locked}"
    assert (await reader.put(own, json=done, headers=bearer(user))).status_code == 403
    await entitle(user, made.id, True, 1)
    assert (await reader.put(own, json=done, headers=bearer(user))).status_code == 200


async def test_support_sees_since_when_courses_are_open_to_somebody(
    reader: httpx.AsyncClient, entitle: Entitle, issuer: Issuer, clock: FakeClock
) -> None:
    user, open_, closed, other = uuid4(), str(uuid4()), str(uuid4()), str(uuid4())
    await entitle(user, open_, True, 1)
    await entitle(user, closed, True, 1)
    first = clock.now()
    clock.advance(5)
    await entitle(user, closed, False, 2)
    await entitle(uuid4(), other, True, 1)
    path = f"/internal/v1/access/{user}"
    asked = {"course_id": [open_, closed, other]}
    for role in ("learner", "creator"):
        refused = await reader.get(path, params=asked, headers=_as(issuer, role))
        assert refused.status_code == 403
    told = (await reader.get(path, params=asked, headers=_as(issuer, "support"))).json()["items"]
    shown = {it["course_id"]: (it["unlocked"], it["unlocked_at"], it["locked_at"]) for it in told}
    heard, later = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (first, clock.now()))
    assert shown == {open_: (True, heard, None), closed: (False, heard, later)}
    assert (await reader.get(path, headers=_as(issuer, "support"))).status_code == 422


def _as(issuer: Issuer, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.mint(role)}"}
