"""The status of a payment as it changes, over a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn

from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import Person
from suuupra.testing.containers import free_port
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def listening(world: World) -> AsyncIterator[str]:
    """The application on a port, with its feed running; the address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(world.app, port=port, log_config=None, lifespan="off"))
    feed = next(it for it in world.app.state.runnables if it.name == "payment-feed")
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(feed.run())]

    async def well() -> bool:
        return server.started and feed.health() is None

    try:
        await until(well)
        yield f"http://127.0.0.1:{port}"
    finally:
        await feed.stop()
        server.should_exit = True
        await asyncio.gather(*tasks)


@asynccontextmanager
async def watching(person: Person, url: str, payment: Any, **more: str) -> AsyncIterator[Any]:
    headers = {**person.headers(), **more}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=30) as http,
        http.stream("GET", f"{url}/v1/payments/{payment}/events", headers=headers) as answer,
    ):
        yield answer


async def next_payment(lines: AsyncIterator[str]) -> dict[str, Any]:
    """The next event's data."""
    async for line in lines:
        if line.startswith("data: "):
            found: dict[str, Any] = json.loads(line.removeprefix("data: "))
            return found
    raise AssertionError("the stream ended")


async def test_a_stream_shows_each_change_and_ends_with_the_payment(world: World, listening: str) -> None:
    payment = await world.order()
    async with watching(world.learner, listening, payment) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert (await next_payment(lines))["status"] == "requires_payment_method"
        started = await world.learner.attempt(payment)
        assert (await next_payment(lines))["status"] == "requires_action"
        asked = await world.switch.authorise(started["attempt"]["reference"], MINOR)
        assert (await next_payment(lines))["status"] == "processing"
        await world.switch.confirm(asked)
        last = await next_payment(lines)
        assert last["status"] == "succeeded"
        assert [line async for line in lines if line] == []
    async with watching(
        world.learner, listening, payment, **{"Last-Event-ID": str(last["version"])}
    ) as answer:
        assert answer.status_code == 204


async def test_a_peer_may_not_listen(world: World, listening: str) -> None:
    payment = await world.order()
    async with watching(world.person(), listening, payment) as answer:
        assert answer.status_code == 404


async def test_a_quiet_stream_is_kept_open(world: World, listening: str) -> None:
    payment = await world.order()
    async with watching(world.learner, listening, payment) as answer:
        lines = answer.aiter_lines()
        await next_payment(lines)
        await world.clock.until_sleeping()
        world.clock.advance(10)
        async for line in lines:
            if line.startswith(":"):
                assert line == ": still here"
                break
