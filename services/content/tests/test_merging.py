"""A user's own progress, and how a visitor's becomes theirs: once, for good, and never a step back."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from services.content.tests.author import Author
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.issuer import Issuer

pytestmark = pytest.mark.integration


@pytest.fixture
def bearer(issuer: Issuer) -> Callable[[object], dict[str, str]]:
    return lambda user: {"Authorization": f"Bearer {issuer.mint('learner', str(user))}"}


async def read(reader: httpx.AsyncClient, visitor: UUID, lesson: str, state: str, position: int = 0) -> None:
    path = f"/internal/v1/visitors/{visitor}/progress/{lesson}"
    answer = await reader.put(path, json={"state": state, "position": position})
    assert answer.status_code == 200, answer.text


async def progress_of(
    reader: httpx.AsyncClient, headers: dict[str, str], **query: str
) -> dict[str, tuple[str, int]]:
    answer = await reader.get("/v1/progress", headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    return {it["lesson_id"]: (it["state"], it["position"]) for it in answer.json()["items"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/progress"),
        ("GET", "/v1/progress/courses"),
        ("PUT", f"/v1/progress/{uuid4()}"),
        ("POST", f"/internal/v1/visitors/{uuid4()}/merge"),
    ],
)
async def test_without_a_token_nobody_has_progress(reader: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await reader.request(method, path, json={"state": "started"})
    assert answer.status_code == 401


async def test_a_user_tells_and_reads_their_own_progress_and_no_one_elses(
    reader: httpx.AsyncClient, author: Author, bearer: Callable[[object], dict[str, str]]
) -> None:
    made, other, user, peer = await author.published(), await author.published("Other"), uuid4(), uuid4()
    for lesson, state in ((made.lesson_ids[0], "completed"), (other.lesson_ids[0], "started")):
        path = f"/v1/progress/{lesson}"
        answer = await reader.put(path, json={"state": state, "position": 7}, headers=bearer(user))
        assert answer.status_code == 200
    assert await progress_of(reader, bearer(user), course=made.id) == {made.lesson_ids[0]: ("completed", 7)}
    shelf = (await reader.get("/v1/progress/courses", headers=bearer(user))).json()["items"]
    assert {it["course"]["title"] for it in shelf} == {"Physics", "Other"}
    assert await progress_of(reader, bearer(peer)) == {}


async def test_a_visitors_progress_becomes_the_users_and_merging_again_changes_nothing(
    reader: httpx.AsyncClient,
    author: Author,
    bearer: Callable[[object], dict[str, str]],
    database: Database,
    clock: FakeClock,
) -> None:
    made, visitor, user = await author.published(lessons=4), uuid4(), uuid4()
    only_theirs, ahead, behind, only_mine = made.lesson_ids
    merge = f"/internal/v1/visitors/{visitor}/merge"
    for lesson, state, position in (
        (ahead, "started", 10),
        (behind, "completed", 900),
        (only_mine, "started", 5),
    ):
        body = {"state": state, "position": position}
        await reader.put(f"/v1/progress/{lesson}", json=body, headers=bearer(user))
    clock.advance(60)
    for lesson, state, position in (
        (only_theirs, "completed", 1000),
        (ahead, "completed", 700),
        (behind, "started", 1),
    ):
        await read(reader, visitor, lesson, state, position)
    told = await completions(database)
    expected = {
        only_theirs: ("completed", 1000),
        ahead: ("completed", 700),
        behind: ("completed", 900),
        only_mine: ("started", 5),
    }
    assert (await reader.post(merge, headers=bearer(user))).json() == {"lessons": 3}
    assert await progress_of(reader, bearer(user)) == expected
    assert (await reader.post(merge, headers=bearer(user))).json() == {"lessons": 0}
    assert await progress_of(reader, bearer(user)) == expected
    left = (await reader.get(f"/internal/v1/visitors/{visitor}/progress")).json()
    assert left == {"items": []}, "the next user of this browser must not get it too"
    assert await completions(database) == told, "what was told under the visitor's id is not told again"


async def test_merges_and_reports_at_once_lose_nothing(
    reader: httpx.AsyncClient, author: Author, bearer: Callable[[object], dict[str, str]]
) -> None:
    made, user = await author.published(lessons=6), uuid4()
    visitors = [uuid4() for _ in range(3)]
    for visitor in visitors:
        for lesson in made.lesson_ids:
            await read(reader, visitor, lesson, "completed", 1000)

    async def merge(visitor: UUID) -> None:
        answer = await reader.post(f"/internal/v1/visitors/{visitor}/merge", headers=bearer(user))
        assert answer.status_code == 200, answer.text

    async def report(lesson: str) -> None:
        answer = await reader.put(f"/v1/progress/{lesson}", json={"state": "started"}, headers=bearer(user))
        assert answer.status_code == 200, answer.text

    await asyncio.gather(*map(merge, visitors), *map(report, made.lesson_ids[:2]))
    found = await progress_of(reader, bearer(user))
    assert {state for state, _ in found.values()} == {"completed"}
    assert set(found) == set(made.lesson_ids)


async def completions(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM outbox WHERE type = 'lesson.completed'")) or 0)
