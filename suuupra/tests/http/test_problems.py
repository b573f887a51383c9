"""Whatever goes wrong, the caller gets one shape that names field, rule and fix; and no internals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from suuupra.edge import CutOff
from suuupra.errors import MOST_ERRORS, Conflict, FieldError, NotFound
from suuupra.openapi import problems
from suuupra.tests.http.conftest import Client

router = APIRouter()


class Lesson(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=5)
    kind: Literal["article", "video"] = "article"
    minutes: int = Field(default=1, ge=1, le=60)
    tags: list[str] = Field(default=[], max_length=2)

    @field_validator("title")
    @classmethod
    def _visible(cls, title: str) -> str:
        if not title.isprintable():
            raise ValueError("must hold no control characters")
        return title


class LessonLocked(Conflict):
    slug, title = "lesson-locked", "The lesson is locked"


@router.post("/lessons")
async def create(lesson: Lesson) -> Lesson:
    return lesson


@router.get("/lessons/{lesson_id}")
async def read(lesson_id: UUID, limit: int = 1) -> None:
    raise NotFound(f"There is no lesson {lesson_id}.")


@router.post("/lessons/{lesson_id}/open", responses=problems(LessonLocked))
async def open_lesson(lesson_id: int) -> None:
    error = FieldError("path.lesson_id", "must be unlocked", "finish lesson 1 first")
    raise LessonLocked(
        "Finish the module before this one first.", errors=[error], headers={"Retry-After": "9"}
    )


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError("password=hunter2 at db.internal:5432")


@router.get("/mistaken")
async def mistaken() -> None:
    """A mistake of ours that a problem led to: the caller did nothing wrong."""
    try:
        raise NotFound("There is no such lesson.")
    except NotFound as problem:
        raise RuntimeError("nobody handles this") from problem


@router.get("/teapot")
async def teapot() -> None:
    raise HTTPException(418, "I am a teapot")


@router.get("/busy")
async def busy() -> None:
    raise HTTPException(503, "later", headers={"Retry-After": "3"})


@router.get("/half")
async def half() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first half"
        raise RuntimeError("then it broke")

    return StreamingResponse(parts())


@pytest_asyncio.fixture
async def http(make_app: Any, client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client(make_app(router, body_limit=50)) as opened:
        yield opened


@pytest_asyncio.fixture
async def roomy(make_app: Any, client: Client) -> AsyncIterator[httpx.AsyncClient]:
    """The same, with the room for bodies that services have unless they say otherwise."""
    async with client(make_app(router)) as opened:
        yield opened


def _errors(answer: httpx.Response) -> dict[str, tuple[str, str]]:
    assert answer.headers["content-type"] == "application/problem+json"
    return {error["field"]: (error["rule"], error["fix"]) for error in answer.json()["errors"]}


async def test_problem_tells_type_title_status_detail_instance_and_request(http: httpx.AsyncClient) -> None:
    answer = await http.post("/lessons/2/open")
    assert answer.status_code == 409
    assert answer.headers["retry-after"] == "9"
    assert answer.json() == {
        "type": "urn:suuupra:problem:lesson-locked",
        "title": "The lesson is locked",
        "status": 409,
        "detail": "Finish the module before this one first.",
        "instance": "/lessons/2/open",
        "request_id": answer.headers["x-request-id"],
        "errors": [{"field": "path.lesson_id", "rule": "must be unlocked", "fix": "finish lesson 1 first"}],
    }


async def test_every_wrong_field_is_named_with_rule_and_fix(http: httpx.AsyncClient) -> None:
    body = {"title": "", "kind": "song", "minutes": "x", "tags": ["a", "b", "c"], "x": 1}
    answer = await http.post("/lessons", json=body, headers={"x-request-id": "abcdefgh"})
    assert answer.status_code == 413  # 50 bytes are the limit here
    answer = await http.post("/lessons", json={"title": "", "kind": "song", "x": 1})
    assert answer.status_code == 422
    assert _errors(answer) == {
        "body.title": ("must have at least 1 character", "make it 1 or more characters long"),
        "body.kind": ("must be 'article' or 'video'", "send one of 'article' or 'video'"),
        "body.x": ("is not a known field", "remove it"),
    }
    assert answer.json()["detail"] == "body.title must have at least 1 character; and 2 more."


@pytest.mark.parametrize(
    ("body", "field", "rule", "fix"),
    [
        ("{}", "body.title", "is required", "add it"),
        ('{"title":1}', "body.title", "must be a valid string", "send text in double quotes"),
        ('{"title":"a","minutes":0}', "body.minutes", "must be greater than or equal to 1", "send 1 or more"),
        ('{"title":"a","minutes":1.5}', "body.minutes", "must be a valid integer", "send a whole number"),
        (
            '{"title":"a\\n"}',
            "body.title",
            "must hold no control characters",
            "send a value that follows the rule",
        ),
        ('{"title":"a","tags":[1]}', "body.tags[0]", "must be a valid string", "send text in double quotes"),
        ("[]", "body", "must be a JSON object", "send a JSON object"),
        ("", "body", "is required", "add it"),
        ("null", "body", "must be a JSON object", "send a JSON object"),
    ],
)
async def test_wrong_bodies_are_told_apart(
    http: httpx.AsyncClient, body: str, field: str, rule: str, fix: str
) -> None:
    answer = await http.post("/lessons", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    found_rule, found_fix = _errors(answer)[field]
    assert found_rule.startswith(rule)
    assert found_fix.startswith(fix)


async def test_json_that_cannot_be_read_is_shown_by_line_and_column(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/lessons", content='{\n "title" 1}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:suuupra:problem:malformed-json"
    assert _errors(answer)["body"][1] == "correct the JSON at line 2, column 10"


@pytest.mark.parametrize(
    ("body", "rule", "fix"),
    [
        (b'{"title":"\xff"}', "must be text in UTF-8, and is not at byte 11", "encode it in UTF-8"),
        (b"[" * 200_000, "is nested too deep", "put fewer arrays and objects"),
        (
            b'{"minutes":' + b"9" * 5_000 + b"}",
            "must hold no whole number of more than 4300",
            "send a smaller",
        ),
    ],
    ids=["not UTF-8", "nested too deep", "too many digits"],
)
async def test_json_that_the_parser_gives_up_on_is_told_by_its_cause(
    roomy: httpx.AsyncClient, body: bytes, rule: str, fix: str
) -> None:
    answer = await roomy.post("/lessons", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:suuupra:problem:malformed-json"
    found_rule, found_fix = _errors(answer)["body"]
    assert found_rule.startswith(rule)
    assert found_fix.startswith(fix)


@pytest.mark.parametrize("body", [b"\xff\xfe{}", b'{"title":"\xff"}', b'{"title": NaN}'])
async def test_bytes_that_are_no_json_text_are_a_fault_of_the_caller(
    http: httpx.AsyncClient, body: bytes
) -> None:
    answer = await http.post("/lessons", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_body_of_another_type_is_told_what_to_send(http: httpx.AsyncClient) -> None:
    answer = await http.post("/lessons", content="title=a", headers={"content-type": "text/plain"})
    assert answer.status_code == 422
    assert "application/json" in _errors(answer)["body"][1]


async def test_path_and_query_are_checked_like_bodies(http: httpx.AsyncClient) -> None:
    answer = await http.get("/lessons/seven?limit=many")
    assert _errors(answer).keys() == {"path.lesson_id", "query.limit"}


async def test_thousand_wrong_items_do_not_become_a_thousand_errors(make_app: Any, client: Client) -> None:
    async with client(make_app(router)) as http:
        answer = await http.post(
            "/lessons", json={"title": "a"} | {f"x{number}": 1 for number in range(1000)}
        )
    assert len(answer.json()["errors"]) == MOST_ERRORS
    assert answer.json()["detail"].endswith("and 999 more.")


async def test_names_that_the_caller_made_up_do_no_harm(make_app: Any, client: Client) -> None:
    body = b'{"title": "a", "half \\ud800 pair": 1, "' + b"x" * 5000 + b'": 1}'
    async with client(make_app(router)) as http:
        answer = await http.post("/lessons", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert len(answer.content) < 2000


async def test_what_was_sent_is_never_sent_back(http: httpx.AsyncClient) -> None:
    answer = await http.post("/lessons", json={"title": "hunter2hunter2"})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


async def test_unknown_address_and_method_are_problems_too(http: httpx.AsyncClient) -> None:
    nothing, wrong = await http.get("/nothing"), await http.delete("/lessons")
    assert (nothing.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"] == "POST"
    assert wrong.json()["detail"] == "/lessons takes POST, not DELETE."
    assert _errors(wrong) == {"method": ("must be one that this address takes: POST", "send POST")}
    assert _errors(nothing).keys() == {"path"}


async def test_fault_of_ours_tells_the_request_and_nothing_else(http: httpx.AsyncClient) -> None:
    answer = await http.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_problem_behind_a_fault_of_ours_does_not_make_it_the_callers(http: httpx.AsyncClient) -> None:
    assert (await http.get("/mistaken")).status_code == 500


async def test_answer_that_breaks_half_way_is_not_passed_off_as_whole(http: httpx.AsyncClient) -> None:
    with pytest.raises(CutOff) as cut:
        await _strict(http).get("/half")
    assert str(cut.value.__cause__) == "then it broke"


def _strict(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same application, through a transport that shows what the server would see."""
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    return httpx.AsyncClient(transport=httpx.ASGITransport(transport.app), base_url="http://example.test")


async def test_errors_of_the_framework_keep_their_status_and_headers(http: httpx.AsyncClient) -> None:
    busy, teapot = await http.get("/busy"), await http.get("/teapot")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
    assert teapot.headers["content-type"] == "application/problem+json"


# --- what OpenAPI says -------------------------------------------------------------------------------------------


async def test_openapi_tells_how_each_operation_fails(make_app: Any) -> None:
    document = make_app(router).openapi()
    paths = document["paths"]
    assert {"400", "413", "422", "default"} <= paths["/lessons"]["post"]["responses"].keys()
    assert {"404", "422", "default"} <= paths["/lessons/{lesson_id}"]["get"]["responses"].keys()
    locked = paths["/lessons/{lesson_id}/open"]["post"]["responses"]["409"]
    assert (
        locked["content"]["application/problem+json"]["example"]["type"]
        == "urn:suuupra:problem:lesson-locked"
    )
    assert {"Problem", "FieldError"} <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in str(document)
