"""What is seen of a request from outside: its trace, its id, its metrics and its lines in the log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from suuupra import logs, telemetry
from suuupra.calls import HttpService
from suuupra.tests.http.conftest import Client, Settings

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

router = APIRouter()


@router.get("/things/{thing}")
async def thing(thing: str) -> dict[str, str | None]:
    logs.get_logger("example").info("looked", thing=thing)
    return {"traceparent": telemetry.current_traceparent(), "request_id": telemetry.request_id.get()}


@router.get("/failing")
async def failing() -> None:
    raise RuntimeError("it broke")


@pytest.fixture
def lines(settings: Settings) -> Iterator[Any]:
    """Everything logged, as the objects the lines hold."""
    stream = io.StringIO()
    root, before = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    logs.configure(settings, stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.access.to(None, {})
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def _observed(**labels: str) -> float:
    name = "suuupra_http_request_duration_seconds_count"
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_trace_of_the_caller_goes_on(make_app: Any, client: Client) -> None:
    async with client(make_app(router)) as http:
        seen = (await http.get("/things/1", headers={"traceparent": PARENT})).json()["traceparent"]
    assert seen.startswith(f"00-{TRACE}-")
    assert seen.endswith("-01")
    assert seen != PARENT


@pytest.mark.parametrize(
    "given", [None, "", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", PARENT.upper(), PARENT + "-x"]
)
async def test_without_a_readable_trace_a_new_one_begins(
    make_app: Any, client: Client, given: str | None
) -> None:
    headers = {} if given is None else {"traceparent": given}
    async with client(make_app(router)) as http:
        first, second = [
            (await http.get("/things/1", headers=headers)).json()["traceparent"] for _ in range(2)
        ]
    assert TRACE not in first
    assert first[3:35] != second[3:35]


async def test_trace_state_and_future_versions_are_understood_too() -> None:
    with telemetry.continued({"traceparent": PARENT, "tracestate": "vendor=1"}):
        carried: dict[str, str] = {}
        telemetry.inject(carried)
    assert carried["tracestate"] == "vendor=1"
    with telemetry.continued({"traceparent": f"01-{TRACE}-b7ad6b7169203331-00-more"}) as span:
        assert f"{span.trace_id:032x}" == TRACE


async def test_no_trace_is_left_behind_by_a_request(make_app: Any, client: Client) -> None:
    async with client(make_app(router)) as http:
        await http.get("/things/1")
    assert telemetry.current_traceparent() is None
    assert telemetry.exemplar() is None


async def test_request_id_is_taken_when_sane_and_made_when_not(make_app: Any, client: Client) -> None:
    async with client(make_app(router)) as http:
        taken = await http.get("/things/1", headers={"x-request-id": "abc-123.DEF"})
        refused = await http.get("/things/1", headers={"x-request-id": 'a"b\tc; injected'})
    assert taken.headers["x-request-id"] == taken.json()["request_id"] == "abc-123.DEF"
    assert len(refused.headers["x-request-id"]) == 16


async def test_call_of_another_service_carries_trace_and_request_id(make_app: Any, client: Client) -> None:
    received: list[httpx.Headers] = []

    def content(request: httpx.Request) -> httpx.Response:
        received.append(request.headers)
        return httpx.Response(200)

    service = HttpService("content", "http://content.test", transport=httpx.MockTransport(content))
    calling = APIRouter()

    @calling.get("/calling")
    async def calls() -> None:
        await service.client.get("/v1/courses")

    async with client(make_app(calling, resources=[service])) as http:
        await http.get("/calling", headers={"traceparent": PARENT, "x-request-id": "abcdefgh"})
    assert TRACE in received[0]["traceparent"]
    assert received[0]["x-request-id"] == "abcdefgh"


async def test_requests_are_counted_by_route_template_and_status_class(make_app: Any, client: Client) -> None:
    labels = {"route": "/things/{thing}", "method": "GET", "status": "2xx"}
    before = _observed(**labels)
    async with client(make_app(router)) as http:
        for number in range(3):
            await http.get(f"/things/{number}")
    assert _observed(**labels) - before == 3


async def test_guessed_paths_and_made_up_methods_cannot_fill_the_metrics(
    make_app: Any, client: Client
) -> None:
    labels = {"route": "unmatched", "method": "OTHER", "status": "4xx"}
    before = _observed(**labels)
    async with client(make_app(router)) as http:
        for number in range(3):
            await http.request(f"MADEUP{number}", f"/guess/{number}")
    assert _observed(**labels) - before == 3


async def test_failures_are_counted_as_5xx(make_app: Any, client: Client) -> None:
    labels = {"route": "/failing", "method": "GET", "status": "5xx"}
    before = _observed(**labels)
    async with client(make_app(router)) as http:
        await http.get("/failing")
    assert _observed(**labels) - before == 1


# --- logs --------------------------------------------------------------------------------------------------------


async def test_request_and_what_it_did_are_lines_that_share_their_ids(
    make_app: Any, client: Client, lines: Any
) -> None:
    async with client(make_app(router)) as http:
        answer = await http.get("/things/seven?token=hunter2", headers={"traceparent": PARENT})
    looked, request = [line for line in lines() if line["event"] in ("looked", "request")]
    assert looked["trace_id"] == request["trace_id"] == TRACE
    assert looked["request_id"] == request["request_id"] == answer.headers["x-request-id"]
    assert (request["route"], request["path"], request["status"]) == ("/things/{thing}", "/things/seven", 200)
    assert (looked["service"], looked["source"], looked["thing"]) == ("example", "example", "seven")
    assert "hunter2" not in json.dumps(lines())


async def test_path_cannot_break_out_of_its_line(make_app: Any, client: Client, lines: Any) -> None:
    async with client(make_app(router)) as http:
        await http.get('/things/a"b%0A%7B%22event%22%3A%22forged%22%7D')
    assert [line["event"] for line in lines()] == ["looked", "request"]


async def test_failure_is_logged_with_its_cause(make_app: Any, client: Client, lines: Any) -> None:
    async with client(make_app(router)) as http:
        await http.get("/failing")
    failure = next(line for line in lines() if line["level"] == "error")
    assert "RuntimeError: it broke" in failure["exception"]


def test_lines_of_libraries_have_the_same_form(lines: Any) -> None:
    logging.getLogger("sqlalchemy").warning("pool %s", "exhausted", extra={"password": "hunter2"})
    line = lines()[-1]
    assert (line["event"], line["source"], line["level"]) == ("pool exhausted", "sqlalchemy", "warning")
    assert line["password"] == logs.REDACTED


@pytest.mark.parametrize(
    "key",
    [
        *(
            "password",
            "new_password",
            "passwd",
            "Authorization",
            "api_key",
            "apiKey",
            "access_key",
            "client_secret",
        ),
        *("refreshToken", "set-cookie", "otp", "card_number", "database_url", "DATABASE_URL", "private_key"),
    ],
)
def test_values_under_secret_names_are_taken_out(key: str) -> None:
    assert logs.redact(None, "", {"outer": [{key: "hunter2"}]}) == {"outer": [{key: logs.REDACTED}]}


@pytest.mark.parametrize(
    "key", ["course_key", "primary_key", "author", "keyboard", "passed", "spinner", "discard"]
)
def test_harmless_names_are_left_alone(key: str) -> None:
    assert logs.redact(None, "", {key: "value"}) == {key: "value"}


@pytest.mark.parametrize(
    "text",
    [
        "sent Bearer abc.def-ghi",
        "cannot connect to postgresql://app:hunter2@db:5432/x",
        "redis://:hunter2@valkey:6379",
        "token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl was refused",
    ],
)
def test_secrets_are_taken_out_of_any_text(text: str) -> None:
    cleaned = logs.redact(None, "", {"event": text, "nested": {"list": [text]}, "error": ValueError(text)})
    assert json.dumps(cleaned).count(logs.REDACTED) == 3
    assert not any(secret in json.dumps(cleaned) for secret in ("hunter2", "abc.def", "c2lnbmF0dXJl"))


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text(), max_size=3), max_size=3))
def test_whatever_is_logged_is_one_json_object_on_one_line(values: dict[str, Any]) -> None:
    rendered = logs.render(None, "", logs.redact(None, "", dict(values)))
    assert "\n" not in rendered
    assert isinstance(json.loads(rendered), dict)


@pytest.mark.parametrize(
    "text",
    [
        "duplicate key value\nDETAIL:  Key (email)=(asha@example.org) already exists.",
        "null value\nDETAIL:  Failing row contains (7, asha@example.org\nsecond line, null).\nCONTEXT:  COPY person",
        "asha is not told\nCONTEXT:  SQL statement \"SELECT 'asha'\"",
    ],
)
def test_rows_that_a_database_quotes_are_taken_out_of_any_text(text: str) -> None:
    whole = (
        f"Traceback (most recent call last):\n{text}\n[SQL: INSERT INTO person]\n(Background on this error)"
    )
    cleaned = logs.redact(None, "", {"exception": whole})["exception"]
    assert "asha@" not in cleaned
    assert "second line" not in cleaned
    assert "SELECT 'asha'" not in cleaned
    assert "[SQL: INSERT INTO person]" in cleaned
