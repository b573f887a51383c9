"""HEAD wherever there is a GET; and streams, which end when the process drains and are no latency."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from prometheus_client import REGISTRY
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from suuupra import serving
from suuupra.clock import FakeClock
from suuupra.db import DatabaseUnavailable
from suuupra.edge import Activity, Edge
from suuupra.running import Signals
from suuupra.tests.http.conftest import Client, Settings, until_ready


class Feed:
    """Routes of which one never ends by itself."""

    def __init__(self) -> None:
        self.router = APIRouter()
        self.router.add_api_route("/item", self._item)
        self.router.add_api_route("/item", self._item, methods=["PUT"])
        self.router.add_api_route("/only-put", self._item, methods=["PUT"])
        self.router.add_api_route("/events", self._events)
        self.router.add_api_route("/download", self._download)
        self.router.add_api_route("/broken", self._broken)
        self.read = 0
        self.closed = asyncio.Event()

    async def _item(self) -> dict[str, str]:
        return {"title": "First"}

    async def _events(self) -> StreamingResponse:
        return StreamingResponse(self._endless(), media_type="text/event-stream")

    async def _download(self) -> StreamingResponse:
        return StreamingResponse(self._chunks(), media_type="application/octet-stream")

    async def _broken(self) -> StreamingResponse:
        return StreamingResponse(self._half(), media_type="text/csv")

    async def _half(self) -> AsyncIterator[bytes]:
        yield b"one,two\r\n"
        raise DatabaseUnavailable("PostgreSQL cannot be reached.")

    async def _endless(self) -> AsyncIterator[bytes]:
        try:
            yield b"data: first\n\n"
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def _chunks(self) -> AsyncIterator[bytes]:
        for _ in range(1000):
            self.read += 1
            yield b"x" * 1000


def observed(route: str) -> float:
    labels = {"route": route, "method": "GET", "status": "2xx"}
    return REGISTRY.get_sample_value("suuupra_http_request_duration_seconds_count", labels) or 0.0


async def test_head_is_answered_wherever_there_is_a_get(make_app: Any, client: Client) -> None:
    async with client(make_app(Feed().router)) as http:
        got, head = await http.get("/item"), await http.head("/item")
        refused, missing = await http.head("/only-put"), await http.head("/nowhere")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers["content-type"] == got.headers["content-type"]
    assert (refused.status_code, missing.status_code) == (405, 404)


async def test_head_is_allowed_where_get_is_and_not_in_the_document(make_app: Any, client: Client) -> None:
    app = make_app(Feed().router)
    async with client(app) as http:
        answer = await http.delete("/item")
    assert answer.status_code == 405
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))
    assert "head" not in app.openapi()["paths"]["/item"]


async def test_head_of_a_download_does_not_read_it(make_app: Any, client: Client) -> None:
    feed = Feed()
    async with client(make_app(feed.router)) as http:
        answer = await http.head("/download")
    assert (answer.status_code, answer.content) == (200, b"")
    assert feed.read <= 2


async def test_an_answer_that_cannot_be_finished_is_seen_to_be_cut_off_and_is_logged_once_as_a_warning(
    ports: Settings, make_app: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    signals = Signals()
    monkeypatch.setattr(serving, "Signals", lambda: signals)
    app = make_app(Feed().router)
    app.state.settings = ports
    with capture_logs() as lines:
        process = asyncio.create_task(serving.serve(app))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.ops_port}") as ops:
            await until_ready(ops, process)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.http_port}") as http:
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                await http.get("/broken")
        signals.received(signal.SIGINT)
        assert await process
    said = [line for line in lines if line["log_level"] not in ("debug", "info")]
    assert [(line["event"], line["log_level"], line["reason"]) for line in said] == [
        ("an answer was cut off", "warning", "The database is not available")
    ]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_draining_ends_streams_at_once_and_tells_them_to_come_back(
    ports: Settings, make_app: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, signals = Feed(), Signals()
    monkeypatch.setattr(serving, "Signals", lambda: signals)
    app = make_app(feed.router)
    app.state.settings = ports
    before = observed("/events")
    process = asyncio.create_task(serving.serve(app))
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.http_port}") as http,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.ops_port}") as ops,
    ):
        await until_ready(ops, process)
        async with http.stream("GET", "/events") as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "data: first"
            assert (app.state.activity.in_flight, app.state.activity.streams) == (0, 1)
            assert "suuupra_http_streams 1.0" in (await ops.get("/metrics")).text
            signals.received(signal.SIGTERM)
            assert [line async for line in lines] == ["", "retry: 1000", ""]
        await feed.closed.wait()
        late = await http.get("/events")
        assert late.text.endswith("retry: 1000\n\n"), "while it drains, the next one ends at once too"
        await clock.until_sleeping()
        clock.advance(ports.drain_seconds)
    assert await process, "the end is in order"
    assert observed("/events") == before
    assert app.state.activity.streams == 0


async def test_a_stream_whose_caller_went_away_is_counted_no_more(
    ports: Settings, make_app: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, signals = Feed(), Signals()
    monkeypatch.setattr(serving, "Signals", lambda: signals)
    app = make_app(feed.router)
    app.state.settings = ports
    process = asyncio.create_task(serving.serve(app))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.ops_port}") as ops:
        await until_ready(ops, process)
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.http_port}") as http,
        http.stream("GET", "/events") as answer,
    ):
        assert await anext(answer.aiter_lines()) == "data: first"
    await feed.closed.wait()
    signals.received(signal.SIGINT)
    assert await process
    assert app.state.activity.streams == 0


async def test_a_websocket_is_counted_and_closed_with_service_restart_when_draining() -> None:
    activity, sent, cancelled = Activity(), list[Message](), asyncio.Event()

    async def chat(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    accepted = asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message)
        accepted.set()

    edge = Edge(chat, activity=activity)
    talking = asyncio.create_task(edge({"type": "websocket"}, receive, send))
    await accepted.wait()
    assert (activity.streams, activity.in_flight) == (1, 0)
    activity.drain()
    await talking
    assert cancelled.is_set()
    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 1012
    assert activity.streams == 0


async def test_a_cancellation_that_is_not_the_drains_goes_on() -> None:
    activity, begun = Activity(), asyncio.Event()

    async def chat(_scope: Scope, _receive: Receive, _send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def nothing(*_: Any) -> Any:
        return None

    edge = Edge(chat, activity=activity)
    talking = asyncio.create_task(edge({"type": "websocket"}, nothing, nothing))
    await begun.wait()
    talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking
    assert activity.streams == 0
