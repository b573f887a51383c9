"""The status of a payment as it changes, over a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import Person
from suuupra.testing.listening import listening
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def address(world: World) -> AsyncIterator[str]:
    """The application on a port, with its feed running; the address."""
    feed = next(it for it in world.app.state.runnables if it.name == "payment-feed")

    async def well() -> bool:
        return feed.health() is None

    async with listening(world.app) as url:
        running = asyncio.create_task(feed.run())
        try:
            await until(well)
            yield url
        finally:
            await feed.stop()
            await running


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


async def test_a_stream_shows_each_change_and_ends_with_the_payment(world: World, address: str) -> None:
    payment = await world.order()
    async with watching(world.learner, address, payment) as answer:
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
    async with watching(world.learner, address, payment, **{"Last-Event-ID": str(last["version"])}) as answer:
        assert answer.status_code == 204


async def test_a_peer_may_not_listen(world: World, address: str) -> None:
    payment = await world.order()
    async with watching(world.person(), address, payment) as answer:
        assert answer.status_code == 404


async def test_a_quiet_stream_is_kept_open(world: World, address: str) -> None:
    payment = await world.order()
    async with watching(world.learner, address, payment) as answer:
        lines = answer.aiter_lines()
        await next_payment(lines)
        await world.clock.until_sleeping()
        world.clock.advance(10)
        async for line in lines:
            if line.startswith(":"):
                assert line == ": still here"
                break
