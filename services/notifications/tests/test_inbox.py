"""Inboxes: everybody reads their own, in their language, and sees the count change while they look."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from services.notifications.api.inbox import COUNT_SECONDS
from services.notifications.tests.conftest import Deliver
from services.notifications.tests.happenings import TITLE, Learner
from suuupra.clock import FakeClock
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration

As = Callable[..., httpx.AsyncClient]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/notifications"),
        ("GET", "/v1/notifications/unread-count"),
        ("GET", "/v1/notifications/stream"),
        ("POST", f"/v1/notifications/{uuid4()}/read"),
        ("POST", "/v1/notifications/read"),
        ("GET", "/v1/notification-preferences"),
        ("PATCH", "/v1/notification-preferences"),
    ],
)
async def test_nobody_is_told_nothing(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, path, json={})).status_code == 401


async def test_a_machine_has_no_inbox(client_as: As) -> None:
    refused = await client_as("learner", "a-machine").get("/v1/notifications")
    assert refused.status_code == 403


async def test_an_inbox_is_read_newest_first_in_pages_and_in_ones_language(
    happen: Deliver, client_as: As, clock: FakeClock
) -> None:
    learner = Learner(locale="hi-IN")
    me = client_as("learner", str(learner.id))
    for happening in (learner.signed_up(), learner.course_published(), learner.paid(), learner.granted()):
        await happen(happening)
        clock.advance(1)
    first = (await me.get("/v1/notifications", params={"limit": 2})).json()
    second = (await me.get("/v1/notifications", params={"limit": 2, "cursor": first["next"]})).json()
    items = first["items"] + second["items"]
    assert [it["kind"] for it in items] == ["entitlement_granted", "order_paid", "welcome"]
    assert [it["link"] for it in items] == [
        "/courses/the-python-tutorial",
        f"/orders/{learner.order_id}",
        "/",
    ]
    assert items[0]["title"] == f"{TITLE} खुल गया है"
    assert "₹449.10" in items[1]["body"]
    assert {it["category"] for it in items} == {"learning", "receipts", "account"}


async def test_reading_is_counted_once_and_only_ones_own(
    happen: Deliver, client_as: As, clock: FakeClock
) -> None:
    learner, peer = Learner(), Learner()
    me, other = client_as("learner", str(learner.id)), client_as("learner", str(peer.id))
    await happen(learner.signed_up(), learner.paid(), learner.granted(), peer.signed_up())
    items = (await me.get("/v1/notifications")).json()["items"]
    path = f"/v1/notifications/{items[0]['id']}/read"
    assert (await other.post(path)).status_code == 404
    read = (await me.post(path)).json()["read_at"]
    clock.advance(60)
    assert (await me.post(path)).json()["read_at"] == read
    assert (await me.get("/v1/notifications/unread-count")).json() == {"unread": 2}
    unread = (await me.get("/v1/notifications", params={"unread": True})).json()["items"]
    assert {it["id"] for it in unread} == {it["id"] for it in items[1:]}
    assert (await other.get("/v1/notifications/unread-count")).json() == {"unread": 1}


async def test_marking_all_leaves_what_came_after_one_looked(
    happen: Deliver, client_as: As, clock: FakeClock
) -> None:
    learner, peer = Learner(), Learner()
    me, other = client_as("learner", str(learner.id)), client_as("learner", str(peer.id))
    await happen(learner.signed_up(), learner.paid(), peer.signed_up())
    seen = (await me.get("/v1/notifications")).json()["items"][0]["id"]
    clock.advance(1)
    await happen(learner.granted())
    assert (await other.post("/v1/notifications/read", json={"up_to": seen})).status_code == 404
    assert (await me.post("/v1/notifications/read", json={"up_to": seen})).json() == {"unread": 1}
    assert (await other.get("/v1/notifications/unread-count")).json() == {"unread": 1}


class Stream:
    """Server-sent events as they come."""

    def __init__(self) -> None:
        self.status = 0
        self.text = ""
        self.gone = asyncio.Event()

    @property
    def counts(self) -> list[int]:
        data = [line[6:] for line in self.text.splitlines() if line.startswith("data: ")]
        return [json.loads(it)["unread"] for it in data]

    async def says(self, *counts: int) -> None:
        """Return when exactly these counts have come."""

        async def said() -> bool:
            return self.counts == list(counts)

        await until(said)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()


@asynccontextmanager
async def listening(app: FastAPI, token: str) -> AsyncIterator[Stream]:
    """The stream of whoever the token names: httpx's own transport would wait for its end."""
    stream = Stream()
    path = "/v1/notifications/stream"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "scheme": "http",
        "server": ("service.test", 80),
        "client": ("127.0.0.1", 1),
    }
    reading = asyncio.create_task(app(scope, stream.receive, stream.send))
    try:
        yield stream
    finally:
        stream.gone.set()
        await reading


@pytest.fixture
async def bells(app: FastAPI) -> AsyncIterator[None]:
    """The process's listening connection, as `serve` runs it."""
    running = asyncio.create_task(app.state.bells.run())
    yield
    await app.state.bells.stop()
    await running


@pytest.mark.usefixtures("bells")
async def test_the_count_is_told_at_once_and_on_every_change_of_ones_own(
    app: FastAPI, happen: Deliver, client_as: As, token: Callable[..., str]
) -> None:
    """The clock stands still: only the commit's NOTIFY can wake a stream."""
    learner, peer = Learner(), Learner()
    await happen(learner.signed_up())
    mine = token("learner", str(learner.id))
    async with listening(app, mine) as stream, listening(app, mine) as second_tab:
        await stream.says(1)
        await second_tab.says(1)
        await happen(learner.paid())
        await stream.says(1, 2)
        await second_tab.says(1, 2)
        await happen(peer.signed_up(), learner.granted())
        await stream.says(1, 2, 3)
        me = client_as("learner", str(learner.id))
        item = (await me.get("/v1/notifications")).json()["items"][0]["id"]
        await me.post(f"/v1/notifications/{item}/read")
        await stream.says(1, 2, 3, 2)
        await me.post("/v1/notifications/read", json={"up_to": item})
        await stream.says(1, 2, 3, 2, 0)
    assert app.state.activity.streams == 0


async def test_a_stream_that_misses_the_bell_counts_anew_now_and_then(
    app: FastAPI, happen: Deliver, token: Callable[..., str], clock: FakeClock
) -> None:
    learner = Learner()
    async with listening(app, token("learner", str(learner.id))) as stream:
        await stream.says(0)
        await happen(learner.signed_up())

        async def says_after_a_while(words: str) -> bool:
            clock.advance(COUNT_SECONDS)
            return words in stream.text

        await until(partial(says_after_a_while, '{"unread":1}'))
        await until(partial(says_after_a_while, ": still here\n\n"))
        assert stream.counts == [0, 1]
