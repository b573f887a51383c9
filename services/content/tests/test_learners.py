"""How far learners are: told any number of times in any order, it comes out the same; completions count once."""

import asyncio
import random
from functools import partial
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from services.content.contract import Learner, LessonCompleted
from services.content.tests.author import COURSES, Author
from services.content.usecases import progress
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.waiting import insisted

pytestmark = pytest.mark.integration


async def tell(
    reader: httpx.AsyncClient, visitor: object, lesson: str, state: str, position: int = 0
) -> httpx.Response:
    path = f"/internal/v1/visitors/{visitor}/progress/{lesson}"
    return await reader.put(path, json={"state": state, "position": position})


async def completions_told(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM outbox WHERE type = 'lesson.completed'")) or 0)


async def test_progress_is_kept_and_resumed(reader: httpx.AsyncClient, author: Author) -> None:
    made, visitor = await author.published(), uuid4()
    first, second = made.lesson_ids
    assert (await tell(reader, visitor, first, "started", 420)).json()["position"] == 420
    await tell(reader, visitor, second, "completed", 1000)
    found = (await reader.get(f"/internal/v1/visitors/{visitor}/progress", params={"course": made.id})).json()
    assert {(it["lesson_id"], it["state"], it["position"]) for it in found["items"]} == {
        (first, "started", 420),
        (second, "completed", 1000),
    }


async def test_a_lesson_is_completed_once_however_often_it_is_told(
    reader: httpx.AsyncClient, author: Author, database: Database
) -> None:
    made, visitors = await author.published(), [uuid4() for _ in range(4)]
    reports = [
        (it, lesson, state)
        for it in visitors
        for lesson in made.lesson_ids
        for state in ("started", "completed")
    ]
    reports *= 3
    random.Random(7).shuffle(reports)

    answers = await asyncio.gather(*(insisted(partial(tell, reader, *report)) for report in reports))
    assert {answer.status_code for answer in answers} == {200}
    assert await completions_told(database) == len(visitors) * len(made.lesson_ids)


async def test_a_late_started_does_not_undo(reader: httpx.AsyncClient, author: Author) -> None:
    made, visitor = await author.published(), uuid4()
    await tell(reader, visitor, made.lesson_ids[0], "completed")
    assert (await tell(reader, visitor, made.lesson_ids[0], "started")).json()["state"] == "completed"


async def test_only_published_lessons_can_be_read(reader: httpx.AsyncClient, author: Author) -> None:
    course = await author.course()
    module = await author.module(course["id"])
    lesson = await author.lesson(module["id"], "a")
    assert (await tell(reader, uuid4(), lesson["id"], "started")).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"{uuid4()}/progress/{uuid4()}", {"state": "read"}, "body.state"),
        (f"{uuid4()}/progress/{uuid4()}", {"state": "started", "position": -1}, "body.position"),
        (f"{uuid4()}/progress/{uuid4()}", {"state": "started", "position": 2_000_000}, "body.position"),
        (f"me/progress/{uuid4()}", {"state": "started"}, "path.visitor_id"),
    ],
)
async def test_wrong_reports_are_refused(
    reader: httpx.AsyncClient, path: str, body: dict[str, object], field: str
) -> None:
    answer = await reader.put(f"/internal/v1/visitors/{path}", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_the_shelf_shows_the_latest_course_first(
    reader: httpx.AsyncClient, author: Author, clock: FakeClock
) -> None:
    physics, biology, visitor = await author.published("Physics"), await author.published("Biology"), uuid4()
    for course, lesson in ((physics, 0), (biology, 0), (biology, 1)):
        clock.advance(10)
        await tell(reader, visitor, course.lesson_ids[lesson], "completed")
    shelf = (await reader.get(f"/internal/v1/visitors/{visitor}/courses")).json()["items"]
    assert [(it["course"]["title"], it["completed"], it["last_lesson"]["slug"]) for it in shelf] == [
        ("Biology", 2, "lesson-2"),
        ("Physics", 1, "lesson-1"),
    ]
    await author.act(f"{COURSES}/{biology.id}/unpublish")
    shelf = (await reader.get(f"/internal/v1/visitors/{visitor}/courses")).json()["items"]
    assert [it["course"]["title"] for it in shelf] == ["Physics"]


async def test_completions_are_counted_per_lesson_and_course(
    author: Author, database: Database, clock: FakeClock
) -> None:
    made = await author.published()
    first, second = made.lesson_ids
    batch = [_completed(made.id, first, clock) for _ in range(40)] + [_completed(made.id, second, clock)]
    async with database.transaction() as tx:
        await progress.count(tx, batch)
    async with database.transaction() as tx:
        await progress.count(tx, batch[:1])
    found = (await author.get(f"{COURSES}/{made.id}/statistics")).json()
    assert found["completions"] == 42
    assert {it["lesson_id"]: it["completions"] for it in found["lessons"]} == {first: 41, second: 1}


def _completed(course_id: str, lesson_id: str, clock: FakeClock) -> LessonCompleted:
    learner = Learner(kind="visitor", id=str(uuid4()))
    return LessonCompleted.model_validate(
        {"learner": learner, "course_id": course_id, "lesson_id": lesson_id, "completed_at": clock.now()}
    )
