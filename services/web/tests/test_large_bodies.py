"""A body too large for a form is told so before anybody is asked for anything, over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.web.tests.conftest import BROWSER, OURS, World
from services.web.tests.markup import one, tree
from services.web.tests.shopping import pay
from suuupra.testing.listening import listening

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prompt")]

UNREAD = [
    ("/courses/python/lessons/appetite/complete", "content", "PUT"),
    ("/checkout/{order}/cancel", "commerce", "POST"),
    ("/orders/{order}/again", "commerce", "PUT"),
]
"""Forms whose fields nobody reads, and what sending them asks of whom."""


@pytest_asyncio.fixture
async def order(learner: httpx.AsyncClient, world: World) -> UUID:
    """One that waits to be paid."""
    return await pay(learner, world)


@pytest_asyncio.fixture
async def wired(app: FastAPI, learner: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """The learner's browser, over a socket."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in learner.cookies.jar)
    headers = {**BROWSER, **OURS, "Cookie": cookies}
    async with (
        listening(app) as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client,
    ):
        yield client


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    """The body without its length."""
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("size", [5_000, 5_000_000])
@pytest.mark.parametrize(("path", "whom", "method"), UNREAD)
async def test_a_form_that_is_too_large_has_no_effect(
    order: UUID,
    wired: httpx.AsyncClient,
    world: World,
    path: str,
    whom: str,
    method: str,
    size: int,
    in_chunks: bool,
) -> None:
    path, body = path.format(order=order), b"x" * size
    world.network.requests.clear()
    refused = await wired.post(path, content=chunks(body) if in_chunks else body)
    assert (refused.status_code, one(tree(refused), "h1").text()) == (413, "That is too large")
    assert world.network.requests == []
    assert world.shop.orders[order].status == "pending_payment"
    taken = await wired.post(path, content=chunks(body[:1000]) if in_chunks else body[:1000])
    assert (taken.status_code, len(world.network.asked(whom, method))) == (303, 1)


async def test_no_form_asks_anybody_for_anything_when_it_is_too_large(
    app: FastAPI, order: UUID, wired: httpx.AsyncClient, world: World
) -> None:
    world.network.requests.clear()
    forms = [one.path for one in app.routes if isinstance(one, APIRoute) and "POST" in (one.methods or ())]
    assert len(forms) > len(UNREAD)
    for form in forms:
        path = form.format(course="python", lesson="appetite", order=order, notification=order)
        refused = await wired.post(path, content=b"x" * 5_000)
        assert (refused.status_code, world.network.requests) == (413, []), form
