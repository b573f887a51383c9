"""The same Idempotency-Key has one effect and one answer (check M3), whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.idempotency import KEPT
from suuupra.migrations import Schema
from suuupra.testing.waiting import insisted, until
from suuupra.tests.http.conftest import Client
from suuupra.tests.http.entry_process import started
from suuupra.tests.http.entry_service import doors, router

pytestmark = pytest.mark.integration

_schema = Schema(Path(__file__).parent / "entries" / "versions")


@pytest.fixture
def schema() -> Schema:
    return _schema


@pytest_asyncio.fixture
async def http(make_app: Any, client: Client, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    doors.__init__()  # type: ignore[misc]
    async with client(make_app(router, resources=[database])) as opened:
        yield opened


@pytest.fixture
def count(database: Database) -> Callable[[str], Any]:
    async def rows(table: str) -> int:
        async with database.reading() as tx:
            return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)

    return rows


def _key(value: str) -> dict[str, str]:
    return {"idempotency-key": value}


async def test_second_request_with_same_key_gets_the_first_answer_and_has_no_effect(
    http: httpx.AsyncClient, count: Any
) -> None:
    first = await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    second = await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"] == "/entries/1"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await count("entry") == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/entries", {"title": "b"}),
        ("POST", "/entries?x=1", {"title": "a"}),
        ("POST", "/maybe", {"title": "a"}),
    ],
)
async def test_same_key_with_another_request_gets_422(
    http: httpx.AsyncClient, count: Any, method: str, path: str, body: dict[str, str]
) -> None:
    await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    answer = await http.request(method, path, json=body, headers=_key("1"))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:suuupra:problem:idempotency-key-reused"
    assert answer.json()["errors"][0]["field"] == "header.Idempotency-Key"
    assert await count("entry") == 1


async def test_a_key_belongs_to_its_caller(http: httpx.AsyncClient, bearer: Any) -> None:
    creator = await http.post("/entries", json={"title": "a"}, headers=_key("1") | bearer("creator"))
    learner = await http.post("/entries", json={"title": "b"}, headers=_key("1") | bearer("learner"))
    assert (creator.json()["title"], learner.json()["title"]) == ("a", "b")


async def test_request_whose_first_is_still_running_gets_409(http: httpx.AsyncClient, count: Any) -> None:
    doors.leave.clear()
    first = asyncio.create_task(http.post("/entries", json={"title": "a"}, headers=_key("1")))
    await doors.entered.wait()
    second = await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    doors.leave.set()
    assert second.status_code == 409
    assert second.headers["retry-after"] == "1"
    assert (await first).status_code == 201
    assert await count("entry") == 1


async def test_m3_a_hundred_at_once_have_one_effect_and_one_answer(
    http: httpx.AsyncClient, count: Any
) -> None:
    async def send() -> httpx.Response:
        return await http.post("/entries", json={"title": "a"}, headers=_key("1"))

    answers = await asyncio.gather(*(insisted(send) for _ in range(100)))
    assert {(it.status_code, it.content) for it in answers} == {(201, b'{"title":"a","number":1}')}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await count("entry") == 1


async def test_request_that_was_refused_may_be_sent_again(http: httpx.AsyncClient, count: Any) -> None:
    refused = await http.post("/entries", json={"title": "refused"}, headers=_key("1"))
    corrected = await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    assert (refused.status_code, corrected.status_code) == (409, 201)
    assert await count("entry") == 1


async def test_m3_request_whose_connection_died_before_commit_may_be_sent_again(
    http: httpx.AsyncClient, count: Any
) -> None:
    killed = await http.post("/entries", json={"title": "killed"}, headers=_key("1"))
    again = await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    assert (killed.status_code, again.status_code) == (503, 201)
    assert await count("entry") == await count("idempotency") == 1


@pytest.mark.parametrize("failpoint", ["idempotency.effect", "idempotency.committed"])
async def test_m3_after_a_crash_the_same_request_has_one_effect_and_is_answered(
    database: Database, database_url: str, count: Any, failpoint: str
) -> None:
    request: dict[str, Any] = {"json": {"title": "a"}, "headers": _key("1")}
    with started(database_url, failpoint=failpoint) as doomed:
        async with httpx.AsyncClient(base_url=doomed.url) as http:
            await _until_listening(http)
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post("/entries", **request)
            assert await asyncio.to_thread(doomed.killed_itself)
    committed = failpoint == "idempotency.committed"
    assert await count("entry") == await count("idempotency") == int(committed)
    with started(database_url) as process:
        async with httpx.AsyncClient(base_url=process.url) as http:
            await _until_listening(http)
            send = partial(http.post, "/entries", **request)
            answers = await asyncio.gather(*(insisted(send) for _ in range(100)))
    assert {(it.status_code, it.content) for it in answers} == {(201, b'{"title":"a","number":1}')}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == int(not committed)
    assert await count("entry") == 1


async def _until_listening(http: httpx.AsyncClient) -> None:
    async def listening() -> bool:
        try:
            return (await http.get("/nowhere")).status_code == 404
        except httpx.ConnectError:
            return False

    await until(listening, limit=60)


async def test_key_is_new_again_after_its_answer_expired(
    http: httpx.AsyncClient, count: Any, clock: FakeClock
) -> None:
    await http.post("/entries", json={"title": "a"}, headers=_key("1"))
    clock.advance(KEPT)
    answer = await http.post("/entries", json={"title": "b"}, headers=_key("1"))
    assert answer.json() == {"title": "b", "number": 2}
    assert await count("idempotency") == 1


async def test_expired_answers_are_swept_by_later_ones(
    http: httpx.AsyncClient, count: Any, clock: FakeClock
) -> None:
    for number in range(5):
        await http.post("/entries", json={"title": "a"}, headers=_key(str(number)))
    clock.advance(KEPT)
    await http.post("/entries", json={"title": "a"}, headers=_key("new"))
    assert await count("idempotency") == 1


async def test_answer_without_a_body_is_replayed_without_one(http: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await http.delete("/entries", headers=_key("1"))
        assert (answer.status_code, answer.content) == (204, b"")


async def test_missing_key_gets_400_where_one_is_required(http: httpx.AsyncClient, count: Any) -> None:
    required = await http.post("/entries", json={"title": "a"})
    optional = await http.post("/maybe", json={"title": "a"})
    assert (required.status_code, optional.status_code) == (400, 201)
    assert required.json()["errors"][0]["rule"] == "is required"
    assert await count("idempotency") == 0


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "naïve"])
async def test_key_that_cannot_be_one_gets_400(http: httpx.AsyncClient, key: str) -> None:
    header = {b"idempotency-key": key.encode("latin-1")}
    answer = await http.post("/entries", json={"title": "a"}, headers=header)
    assert answer.status_code == 400


async def test_openapi_tells_of_the_key_and_its_conflicts(make_app: Any) -> None:
    paths = make_app(router).openapi()["paths"]
    assert {"400", "409", "422"} <= paths["/entries"]["post"]["responses"].keys()
    required = {path: paths[path]["post"]["parameters"][0]["required"] for path in ("/entries", "/maybe")}
    assert required == {"/entries": True, "/maybe": False}
