"""Web on the real identity, content, commerce, payments and notifications: that all mean the same by their contracts."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from services.payments.contract import PaymentSucceeded
from services.web.tests.conftest import ORIGIN
from services.web.tests.markup import one, tree
from services.web.tests.platform import PASSWORD, Platform, platform
from suuupra.events import Meta
from suuupra.ids import new_id
from suuupra.testing.issuer import Issuer
from suuupra.testing.objects import ObjectsServer
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration

ASHA, CREATOR = "asha@example.org", "kiran@example.org"


@pytest_asyncio.fixture
async def world(postgres: PostgresServer, objects: ObjectsServer) -> AsyncIterator[Platform]:
    async with platform(postgres, objects) as running:
        await running.person(ASHA, "Asha Rao")
        yield running


@pytest_asyncio.fixture
async def browser(world: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with world.browser() as client:
        yield client


@dataclass
class Sold:
    """A course on sale."""

    slug: str
    id: UUID
    variant: str


async def sell(world: Platform) -> Sold:
    """A creator publishes a course of three lessons, of which the first is free, and offers it for ₹499."""
    token = await creator_token(world)
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*"}

    async def made(service: str, path: str, key: str, **body: Any) -> dict[str, Any]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(world.apps[service]), base_url=ORIGIN, headers=headers
        ) as creator:
            answer = await creator.post(path, json=body, headers={"Idempotency-Key": key})
            assert answer.is_success, answer.text
            view: dict[str, Any] = answer.json()
            return view

    course = await made(
        "content", "/v1/authoring/courses", "c", title="Rust", access="entitled", preview_lessons=1
    )
    module = await made("content", f"/v1/authoring/courses/{course['id']}/modules", "m", title="Start")
    for title in ("Hello", "Ownership", "Borrowing"):
        body = {"kind": "article", "html": f"<h2>{title}</h2><p>Text.</p>"}
        await made("content", f"/v1/authoring/modules/{module['id']}/lessons", title, title=title, body=body)
    await made("content", f"/v1/authoring/courses/{course['id']}/publish", "p")
    await world.carry()
    prices = [{"currency": "INR", "amount": "499.00"}]
    product = await made(
        "commerce", "/v1/products", "p", title="Rust", course_id=course["id"],
        variants=[{"title": "Whole course", "prices": prices}],
    )  # fmt: skip
    return Sold(course["slug"], UUID(course["id"]), product["variants"][0]["id"])


async def creator_token(world: Platform) -> str:
    """A creator's access token, signed with identity's own key: web asks for no scopes of APIs."""
    ring = world.apps["identity"].state.resources.get(
        importlib.import_module("services.identity.usecases.keyring").KeyRing
    )
    key = (await ring.current()).signing(world.clock.now()).key
    return Issuer(ORIGIN, "suuupra", key).mint("creator", clock=world.clock)


async def sign_in(client: httpx.AsyncClient, to: str = "/") -> httpx.Response:
    """By identity's own page."""
    asked = await client.get("/session/login", params={"to": to})
    return await submit(client, asked, "form[action='/account/login']", email=ASHA, password=PASSWORD)


async def submit(client: httpx.AsyncClient, page: httpx.Response, form: str, **fields: str) -> httpx.Response:
    """Fill in a form of a page and send it, as its button does."""
    found = one(tree(page), form)
    values = {
        str(node.attributes["name"]): str(node.attributes["value"] or "")
        for node in found.css("input")
        if node.attributes.get("name")
    }
    path = str(found.attributes["action"])
    return await client.post(path, data=values | fields, headers={"Referer": str(page.url)})


async def test_a_person_signs_in_by_identitys_page_and_out_by_ours(
    world: Platform, browser: httpx.AsyncClient
) -> None:
    back = await sign_in(browser, "/account")
    assert back.url.path == "/account"
    assert one(tree(back), "h1").text() == "Asha Rao"
    out = await submit(browser, back, "form[action='/session/logout']")
    assert out.url.path == "/"
    again = await browser.get("/account")
    assert again.url.path == "/account/login"


async def test_t2_a_session_lives_on_by_refresh_and_eight_tabs_do_not_end_it(
    world: Platform, browser: httpx.AsyncClient
) -> None:
    """T2: identity revokes a family whose refresh token is spent twice; ours is spent once."""
    await sign_in(browser)
    for _ in range(3):
        world.clock.advance(timedelta(minutes=11))
        tabs = await asyncio.gather(*(browser.get("/account") for _ in range(8)))
        assert [tab.url.path for tab in tabs] == ["/account"] * 8
    asked = [path for path in world.network.asked("identity", "POST") if path == "/oauth/token"]
    assert len(asked) == 4


async def test_a_learner_buys_a_course_over_the_real_services(
    world: Platform, browser: httpx.AsyncClient
) -> None:
    sold = await sell(world)
    lesson = f"/courses/{sold.slug}/lessons/ownership"
    assert one(tree(await browser.get("/")), ".card-price").text().strip() == "₹499.00"
    locked = await browser.get(lesson)
    assert locked.status_code == 403
    await browser.post(f"/courses/{sold.slug}/lessons/hello/complete")

    cart = await submit(browser, locked, "form.offer")
    assert cart.url.path == "/cart"
    login = await submit(browser, cart, "form[action='/checkout']")
    assert login.url.path == "/account/login"
    cart = await submit(browser, login, "form[action='/account/login']", email=ASHA, password=PASSWORD)
    assert cart.url.path == "/cart"

    paying = asyncio.create_task(submit(browser, cart, "form[action='/checkout']"))
    while not paying.done():
        await world.carry()
        await asyncio.sleep(0.01)
    checkout = await paying
    assert str(one(tree(checkout), ".qr img").attributes["src"]).startswith("data:image/svg+xml")
    link = str(one(tree(checkout), ".pay-how a[href^='upi://']").attributes["href"])
    assert "am=499.00" in link
    again = await submit(browser, cart, "form[action='/checkout']")
    assert again.url.path == checkout.url.path

    order = UUID(checkout.url.path.rsplit("/", 1)[1])
    await pay(world, order)
    assert "Paid. Thank you!" in (await browser.get(checkout.url.path)).text
    read = await browser.get(lesson)
    assert read.status_code == 200
    assert "Rust" in one(tree(await browser.get("/learning")), ".shelf-card").text()
    assert "33 percent completed" in (await browser.get("/learning")).text
    receipt = await browser.get(f"/orders/{order}/receipt")
    assert "₹76.12" in receipt.text
    assert "Rust" in (await browser.get("/orders")).text
    assert one(tree(await browser.get(f"/orders/{order}")), ".timeline li")
    inbox = await browser.get("/inbox")
    assert one(tree(inbox), ".letter h2").text()
    unread = int(one(tree(inbox), "[data-unread] .count").text())
    assert unread >= 1
    after = await submit(browser, inbox, "form[action='/inbox/read']")
    assert one(tree(after), "[data-unread] .count").text() == ""


async def pay(world: Platform, order: UUID) -> None:
    """What payments publishes once the money has come, to all who listen."""
    async with world.databases["payments"].reading() as tx:
        payment = (await tx.execute(text("SELECT id, user_id FROM payment"))).one()
    event = PaymentSucceeded(
        payment_id=payment.id, order_id=order, user_id=payment.user_id, amount_minor=49900, tax_minor=7612, currency="INR",
        rail="upi", rail_reference="T1", rrn="123456789012", succeeded_at=world.clock.now(),
    )  # fmt: skip
    meta = Meta(
        id=new_id(), type=event.type, version=1, source="/services/payments", subject=str(payment.id), sequence=1,
        after={}, time=world.clock.now(), traceparent=None, topic=event.type, partition=0, offset=0,
    )  # fmt: skip
    await world.tell("commerce", event.type, event.model_dump_json(), meta)
    await world.carry()
