"""Web on the real identity, content, commerce, payments and notifications: that all mean the same by their contracts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from services.payments.contract import PaymentSucceeded
from services.web.tests.markup import one, tree
from services.web.tests.people import ASHA, creates, place, sell, sign_in, submit
from services.web.tests.platform import PASSWORD, Platform, platform
from suuupra.events import Meta
from suuupra.ids import new_id
from suuupra.testing.objects import ObjectsServer
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def world(postgres: PostgresServer, objects: ObjectsServer) -> AsyncIterator[Platform]:
    async with platform(postgres, objects) as running:
        await running.person(ASHA, "Asha Rao")
        yield running


@pytest_asyncio.fixture
async def browser(world: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with world.browser() as client:
        yield client


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

    checkout = await place(world, browser, cart)
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


async def test_a_tab_whose_total_is_old_is_told_what_the_cart_costs_now_and_orders_nothing(
    world: Platform, browser: httpx.AsyncClient
) -> None:
    sold = await sell(world)
    await creates(world, "commerce", "/v1/coupons", "k", code="SAVE10", permille=100)
    await sign_in(browser)
    cart = await submit(browser, await browser.get(f"/courses/{sold.slug}"), "form.offer")
    await submit(browser, cart, "form.coupon", code="SAVE10")
    answer = await submit(browser, cart, "form[action='/checkout']")
    assert answer.status_code == 409
    said = one(tree(answer), "[role=alert]").text()
    assert "The total has to be what the cart costs now, ₹449.10, and you were shown another." in said
    assert "Nothing was ordered. Look at the cart below and pay from there." in said
    assert "No orders yet" in (await browser.get("/orders")).text
    checkout = await place(world, browser, answer)
    assert one(tree(checkout), "h1").text() == "Pay ₹449.10"


async def test_a_coupon_that_ran_out_meanwhile_is_told_with_its_time_as_pages_write_it(
    world: Platform, browser: httpx.AsyncClient
) -> None:
    sold = await sell(world)
    ends_at = world.clock.now() + timedelta(minutes=5)
    await creates(
        world, "commerce", "/v1/coupons", "k", code="SAVE10", permille=100, ends_at=ends_at.isoformat()
    )
    await sign_in(browser)
    cart = await submit(browser, await browser.get(f"/courses/{sold.slug}"), "form.offer")
    cart = await submit(browser, cart, "form.coupon", code="SAVE10")
    world.clock.advance(timedelta(minutes=5))
    answer = await submit(browser, cart, "form[action='/checkout']")
    assert answer.status_code == 409
    local = ends_at.astimezone(ZoneInfo("Asia/Kolkata"))
    until = f"was valid until {local.day} {local:%B %Y, %H:%M} IST"
    assert f"The coupon {until}." in one(tree(answer), "[role=alert]").text()
    assert f"The coupon {until}: take it off the cart" in one(tree(answer), "#code-error").text()


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
