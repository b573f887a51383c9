"""A body beyond a route's limit is refused before its handler has any effect, whether that reads it or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import repeat
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from suuupra import bodies
from suuupra.bodies import BodyStream
from suuupra.testing.listening import listening
from suuupra.testing.waiting import until

LIMIT = 50
OWN_LIMIT = 100
SOMETHING = b'{"text": "kept"}'
JSON = {"Content-Type": "application/json"}


class Note(BaseModel):
    text: str


class Office:
    """Routes that do something: `done` is what. Some read what they are sent."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.begun = asyncio.Event()
        self.router = APIRouter()
        self.router.add_api_route("/unread", self._unread, methods=["GET", "POST", "DELETE"])
        self.router.add_api_route("/unread/own", self._unread, methods=["POST"], max_body_size=OWN_LIMIT)
        self.router.add_api_route("/raw", self._raw, methods=["POST"])
        self.router.add_api_route("/json", self._json, methods=["POST"])
        self.router.add_api_route("/pieces", self._pieces, methods=["POST"], max_body_size=OWN_LIMIT)
        self.router.add_api_route("/events", self._events, methods=["GET"])

    async def _unread(self) -> None:
        self.done.append("unread")

    async def _raw(self, request: Request) -> None:
        self.done.append(await request.body())

    async def _json(self, note: Note) -> None:
        self.done.append(note.text)

    async def _pieces(self, pieces: BodyStream) -> None:
        async for piece in pieces:
            self.done.append(piece)
            self.begun.set()

    async def _events(self) -> StreamingResponse:
        return StreamingResponse(self._endless(), media_type="text/event-stream")

    async def _endless(self) -> AsyncIterator[bytes]:
        try:
            yield b"data: first\n\n"
            await asyncio.Event().wait()
        finally:
            self.done.append("left")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def app(make_app: Any, office: Office) -> FastAPI:
    made: FastAPI = make_app(office.router, body_limit=LIMIT)
    return made


@pytest_asyncio.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application as a pod serves it; at the end nothing is in flight."""
    async with listening(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client
        async with asyncio.timeout(10):
            await app.state.activity.idle()


async def chunks(body: bytes, size: int = 10) -> AsyncIterator[bytes]:
    """The body without its length."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def refused(answer: httpx.Response, limit: int) -> None:
    assert answer.status_code == 413, answer.text
    assert answer.json()["errors"] == [
        {
            "field": "body",
            "rule": f"must have at most {limit} bytes",
            "fix": "send less, or send it in parts",
        }
    ]


# --- what is too large -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("more", [1, 5_000_000])
@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/unread", LIMIT),
        ("DELETE", "/unread", LIMIT),
        ("GET", "/unread", LIMIT),
        ("POST", "/unread/own", OWN_LIMIT),
        ("POST", "/raw", LIMIT),
        ("POST", "/json", LIMIT),
        ("GET", "/events", LIMIT),
    ],
)
async def test_a_body_beyond_the_limit_has_no_effect(
    http: httpx.AsyncClient, office: Office, method: str, path: str, limit: int, more: int, in_chunks: bool
) -> None:
    body = b"x" * (limit + more)
    sent = chunks(body, 1000) if in_chunks else body
    answer = await http.request(method, path, content=sent, headers=JSON)
    refused(answer, limit)
    assert office.done == []


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_head_is_refused_like_get(http: httpx.AsyncClient, office: Office, in_chunks: bool) -> None:
    body = b"x" * (LIMIT + 1)
    answer = await http.request("HEAD", "/unread", content=chunks(body) if in_chunks else body)
    assert (answer.status_code, answer.content, office.done) == (413, b"", [])


# --- what is not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize(
    ("path", "body", "done"),
    [
        ("/unread", b"x" * LIMIT, "unread"),
        ("/unread", b"", "unread"),
        ("/unread/own", b"x" * OWN_LIMIT, "unread"),
        ("/raw", b"y" * LIMIT, b"y" * LIMIT),
        ("/json", SOMETHING, "kept"),
    ],
)
async def test_a_body_within_the_limit_arrives_as_it_is(
    http: httpx.AsyncClient, office: Office, path: str, body: bytes, done: object, in_chunks: bool
) -> None:
    answer = await http.post(path, content=chunks(body) if in_chunks else body, headers=JSON)
    assert (answer.status_code, office.done) == (200, [done])


async def test_a_stream_that_came_with_a_body_notices_that_its_caller_left(
    http: httpx.AsyncClient, office: Office
) -> None:
    async with http.stream("GET", "/events", content=chunks(b"x" * LIMIT)) as answer:
        assert await anext(answer.aiter_lines()) == "data: first"

    async def noticed() -> bool:
        return office.done == ["left"]

    await until(noticed)


async def test_a_body_that_is_wanted_in_pieces_comes_in_pieces(
    http: httpx.AsyncClient, office: Office
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        async with asyncio.timeout(10):
            await office.begun.wait()
        yield b"second"

    answer = await http.post("/pieces", content=slow())
    assert (answer.status_code, b"".join(office.done)) == (200, b"firstsecond")  # type: ignore[arg-type]


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_pieces_end_before_the_one_that_is_too_much(
    http: httpx.AsyncClient, office: Office, in_chunks: bool
) -> None:
    body = b"x" * (OWN_LIMIT + 1)

    async def slow() -> AsyncIterator[bytes]:
        yield body[:40]
        async with asyncio.timeout(10):
            await office.begun.wait()
        yield body[40:]

    refused(await http.post("/pieces", content=slow() if in_chunks else body), OWN_LIMIT)
    assert office.done == ([body[:40]] if in_chunks else [])


# --- the connection ----------------------------------------------------------------------------------------------


async def talk(http: httpx.AsyncClient, *said: bytes) -> bytes:
    """All that the server says to these bytes, until it closes the connection."""
    url = http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(b"".join(said))
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def request(*headers: str, path: str = "/unread", method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: example.test", *headers, "", ""]).encode()


LAST = request("Connection: close", path="/unread", method="GET")


@pytest.mark.parametrize("framing", ["Content-Length: {}", "Transfer-Encoding: chunked"])
async def test_a_refused_body_is_never_taken_for_a_request(
    http: httpx.AsyncClient, office: Office, framing: str
) -> None:
    body = LAST * 2
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if "chunked" in framing else body
    heard = await talk(http, request(framing.format(len(body))), framed, LAST)
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert heard.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in heard.lower()
    assert office.done == []


async def test_after_a_body_that_nobody_reads_the_connection_serves_on(
    http: httpx.AsyncClient, office: Office
) -> None:
    heard = await talk(http, *repeat(request(f"Content-Length: {LIMIT}") + b"x" * LIMIT, 3), LAST)
    assert heard.count(b"HTTP/1.1 200 ") == 4
    assert office.done == ["unread"] * 4


@pytest.mark.parametrize("path", ["/unread", "/raw", "/pieces"])
async def test_who_sends_without_an_end_is_told_at_once_and_cut_off_after_a_while(
    http: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST_DISCARDED", 1_000_000)
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    heard = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    writer.write(request("Transfer-Encoding: chunked", path=path))
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            sent += 10_000
            writer.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
            await writer.drain()

    async with asyncio.timeout(bodies.DISCARD_SECONDS - 1):
        with pytest.raises(ConnectionError):
            await send()
    assert (await heard).startswith(b"HTTP/1.1 413 ")
    assert sent > bodies.MOST_DISCARDED


async def test_who_stops_sending_what_was_refused_is_waited_for_only_a_while(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "DISCARD_SECONDS", 0.1)
    heard = await talk(http, request("Content-Length: 1000000"), b"x" * 1000)
    assert heard.startswith(b"HTTP/1.1 413 ")


async def test_who_asks_first_is_refused_without_being_told_to_send(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "DISCARD_SECONDS", 0.1)
    heard = await talk(http, request(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))
    assert heard.startswith(b"HTTP/1.1 413 ")


async def test_who_leaves_before_the_end_of_the_body_has_no_effect(
    http: httpx.AsyncClient, app: FastAPI, office: Office
) -> None:
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(request("Transfer-Encoding: chunked") + b"5\r\nfirst\r\n")

    async def in_flight(count: int) -> bool:
        return bool(app.state.activity.in_flight == count)

    await until(lambda: in_flight(1))
    writer.close()
    await until(lambda: in_flight(0))
    assert office.done == []
    assert reader.at_eof() or await reader.read() == b""


# --- what would not be counted -----------------------------------------------------------------------------------


async def test_routes_that_cannot_be_bounded_are_refused(make_app: Any, office: Office) -> None:
    around = APIRouter()
    around.include_router(office.router)
    with pytest.raises(TypeError, match="give each by itself"):
        make_app(around)
