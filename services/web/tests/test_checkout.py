"""From the cart to the paid order, in one browser or several tabs, with whatever can go wrong on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from services.payments.contract import AttemptStatus
from services.web.tests.commerce_double import Cart
from services.web.tests.conftest import OURS, World, browsing, sign_in
from services.web.tests.live import looked_again, marks, watching
from services.web.tests.markup import one, tree
from services.web.tests.shopping import FROM_CART, fill, pay
from services.web.usecases import buying

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prompt")]


def phase(answer: httpx.Response) -> str:
    """Which mark a checkout's page was made for."""
    node = tree(answer).css_first("[data-mark]")
    return str(node.attributes["data-mark"]) if node else "over"


async def test_paying_leads_from_the_cart_straight_to_the_qr_code(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    answer = await learner.get(f"/checkout/{order}")
    page = tree(answer)
    assert str(one(page, ".qr img").attributes["src"]).startswith("data:image/svg+xml")
    assert "₹499.00" in str(one(page, ".qr img").attributes["alt"])
    assert str(one(page, ".pay-how a[href^='upi://pay']").attributes["href"]).endswith("sign=abc")
    assert str(one(page, ".pay-how a[href^='/phone']").attributes["href"]).startswith(
        "/phone?link=upi%3A%2F%2Fpay"
    )
    assert answer.headers["cache-control"] == "private, no-store"
    assert '<noscript><meta http-equiv="refresh"' in answer.text
    assert one(page, "[data-seconds]").text() == "4:59"


async def test_a_double_click_makes_one_order_and_one_attempt(
    learner: httpx.AsyncClient, world: World
) -> None:
    form = await fill(learner, world)
    clicks = [learner.post("/checkout", data=form, headers=FROM_CART) for _ in range(6)]
    answers = await asyncio.gather(*clicks)
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(world.shop.orders) == 1
    assert len(world.till.attempts(next(iter(world.shop.orders)))) == 1


async def test_two_tabs_and_the_back_button_lead_to_the_same_order(
    learner: httpx.AsyncClient, world: World
) -> None:
    form = await fill(learner, world)
    first = await learner.post("/checkout", data=form, headers=FROM_CART)
    assert "You have ordered what was in it" in (await learner.get("/cart")).text
    again = await learner.post("/checkout", data=form, headers=FROM_CART)
    assert again.headers["location"] == first.headers["location"]
    assert len(world.shop.orders) == 1


async def test_m21_a_second_cart_with_the_same_course_leads_on_to_the_order_that_waits(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    answer = await learner.post("/checkout", data=await fill(learner, world), headers=FROM_CART)
    assert answer.status_code == 409
    alert = one(tree(answer), "[role=alert]")
    assert "You have ordered this already" in alert.text()
    assert [link.attributes["href"] for link in alert.css("a")] == [f"/checkout/{order}"]
    assert len(world.shop.orders) == 1


async def test_a_session_that_ended_at_the_checkout_is_renewed_and_the_cart_is_still_there(
    learner: httpx.AsyncClient, world: World
) -> None:
    form = await fill(learner, world)
    world.identity.families[0].revoked = True
    world.clock.advance(timedelta(minutes=11))
    led = await learner.post("/checkout", data=form, headers=FROM_CART)
    assert led.headers["location"] == "/session/login?to=%2Fcart"
    assert (await learner.get("/cart")).headers["location"] == "/session/login?to=%2Fcart"
    assert (await sign_in(learner, world, "/cart")).headers["location"] == "/cart"
    assert one(tree(await learner.get("/cart")), ".cart-line h2").text() == "Rust"
    assert (
        (await learner.post("/checkout", data=form, headers=FROM_CART))
        .headers["location"]
        .startswith("/checkout/")
    )


async def test_a_visitors_cart_becomes_the_persons_at_sign_in_together_with_theirs(
    shopper: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    await fill(shopper, world)
    await sign_in(shopper, world, "/cart")
    assert one(tree(await shopper.get("/cart")), ".cart-line h2").text() == "Rust"
    async with browsing(app) as elsewhere:
        await sign_in(elsewhere, world)
        assert one(tree(await elsewhere.get("/cart")), ".cart-line h2").text() == "Rust"


async def test_signing_in_works_while_the_shop_is_away_and_the_cart_is_claimed_later(
    shopper: httpx.AsyncClient, world: World
) -> None:
    await fill(shopper, world)
    world.network.failing["commerce"] = 503
    assert (await sign_in(shopper, world)).status_code == 303
    world.network.failing.clear()
    assert one(tree(await shopper.get("/cart")), ".cart-line h2").text() == "Rust"
    answer = await shopper.post("/checkout", data=await fill(shopper, world), headers=FROM_CART)
    assert answer.headers["location"].startswith("/checkout/")


async def test_signing_in_works_with_a_cart_in_another_currency_and_neither_cart_is_lost(
    shopper: httpx.AsyncClient, world: World
) -> None:
    form = await fill(shopper, world)
    theirs = Cart(world.identity.user)
    theirs.currency, theirs.lines = "USD", {world.shop.variant(world.content.courses[0]): (1, 900)}
    world.shop.carts[theirs.id] = theirs
    assert (await sign_in(shopper, world, "/cart")).headers["location"] == "/cart"
    assert world.network.asked("commerce", "POST")[-1].endswith("/claim")
    assert one(tree(await shopper.get("/cart")), ".cart-line h2").text() == "Rust"
    answer = await shopper.post("/checkout", data=form, headers=FROM_CART)
    assert answer.headers["location"].startswith("/checkout/")
    assert theirs.order is None
    assert len(theirs.lines) == 1


async def test_while_payments_has_not_heard_of_the_order_the_page_waits_and_then_offers_the_code(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    kept = world.till.payments.pop(order)
    assert phase(await learner.get(f"/checkout/{order}")) == "preparing-0"
    world.till.payments[order] = kept.model_copy(update={"attempts": []})
    page = await learner.get(f"/checkout/{order}")
    assert phase(page) == "ready-0"
    assert one(tree(page), "form[action$='/attempts'] button").text() == "Show the QR code"


@pytest.mark.parametrize(
    ("code", "said", "advice"),
    [
        ("ZM", "The UPI PIN was wrong", "enter your PIN with care"),
        ("ZA", "You declined the payment", "approve it"),
        ("Z9", "There is not enough money in the account", "another account"),
        ("U67", "Your bank did not answer in time", "comes back by itself"),
    ],
)
async def test_what_went_wrong_is_told_with_what_to_do_and_a_new_code(
    learner: httpx.AsyncClient, world: World, code: str, said: str, advice: str
) -> None:
    order = await pay(learner, world)
    world.till.tell(order, "failed", status="requires_payment_method", code=code, reason="…")
    page = tree(await learner.get(f"/checkout/{order}"))
    alert = one(page, "[role=alert]").text()
    assert said in alert
    assert advice in alert
    button = one(page, "form[action$='/attempts']")
    assert one(button, "input[name=number]").attributes["value"] == "2"
    for _ in range(3):  # a double click, and one more from another tab
        again = await learner.post(f"/checkout/{order}/attempts", data={"number": "2"}, headers=OURS)
        assert again.headers["location"] == f"/checkout/{order}"
    assert [attempt.number for attempt in world.till.attempts(order)] == [1, 2]
    assert phase(await learner.get(f"/checkout/{order}")) == "scan-2"


async def test_who_has_tried_too_often_is_told_so_and_what_to_do(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    world.till.tell(order, "failed", status="requires_payment_method", code="ZM", reason="…")
    world.till.most_attempts = 1
    refused = await learner.post(f"/checkout/{order}/attempts", data={"number": "2"}, headers=OURS)
    assert refused.status_code == 409
    assert "attempts" in refused.text
    assert "ask support for help, or order again" in refused.text.lower()
    assert len(world.till.attempts(order)) == 1


async def test_a_code_that_nobody_used_can_be_replaced(learner: httpx.AsyncClient, world: World) -> None:
    order = await pay(learner, world)
    world.till.tell(order, "expired", status="requires_payment_method", code="U69")
    assert "The QR code was not used in time" in (await learner.get(f"/checkout/{order}")).text


@pytest.mark.parametrize(("state", "deemed"), [("unresolved", False), ("pending", True)])
async def test_while_a_bank_is_silent_the_page_says_not_to_pay_again_and_offers_nothing(
    learner: httpx.AsyncClient, world: World, state: AttemptStatus, deemed: bool
) -> None:
    world.till.tell(order := await pay(learner, world), state, deemed=deemed)
    page = tree(await learner.get(f"/checkout/{order}"))
    words = one(page, "[role=status]").text()
    assert all(it in words for it in ("A bank has not answered", "Do not pay again", "The order's page says"))
    assert page.css("form[action$='/attempts'], form[action$='/cancel']") == []
    await learner.post(f"/checkout/{order}/attempts", data={"number": "2"}, headers=OURS)
    assert len(world.till.attempts(order)) == 1


async def test_a_paid_order_says_so_and_leads_to_the_course_and_the_receipt(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    world.till.tell(order, "succeeded", status="succeeded")
    assert phase(await learner.get(f"/checkout/{order}")) == "settling-1"
    world.shop.settle(order, "fulfilled")
    page = tree(await learner.get(f"/checkout/{order}"))
    assert one(page, "h1").text() == "Paid. Thank you!"
    assert [str(link.attributes["href"]) for link in page.css(".checkout .actions a")] == [
        "/learning",
        f"/orders/{order}/receipt",
    ]


@pytest.mark.parametrize("state", ["expired", "canceled"])
async def test_m21_a_payment_that_came_too_late_is_shown_as_coming_back(
    learner: httpx.AsyncClient, world: World, state: str
) -> None:
    """M21: … and shown."""
    order = await pay(learner, world)
    world.shop.settle(order, state)  # type: ignore[arg-type]
    world.till.tell(order, "succeeded", status="succeeded")
    assert "Your money is on its way back" in (await learner.get(f"/checkout/{order}")).text


@pytest.mark.parametrize("state", ["expired", "canceled"])
async def test_m21_an_order_that_ends_while_the_bank_is_silent_asks_to_wait_and_not_to_buy_again(
    learner: httpx.AsyncClient, world: World, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M21: … and shown: the page goes on until it is known where the money is."""
    monkeypatch.setattr(buying, "SELDOM_SECONDS", 60.0)
    order = await pay(learner, world)
    world.till.tell(order, "unresolved")
    world.shop.settle(order, state)  # type: ignore[arg-type]
    page = await learner.get(f"/checkout/{order}")
    assert "a bank has not answered yet" in page.text
    assert "Do not pay again" in page.text
    assert tree(page).css_first(f"form[action='/orders/{order}/again']") is None
    assert phase(page) == "ending-1"
    async with watching(learner, order) as stream:
        await asyncio.wait_for(world.till.listening.wait(), 5)
        world.till.tell(order, "succeeded", status="succeeded")
        answer = await asyncio.wait_for(stream, 5)
    assert marks(answer) == ["ending-1", "refunded-1"]


async def test_an_order_can_be_canceled_and_put_into_the_cart_again(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    await learner.post(f"/checkout/{order}/cancel", headers=OURS)
    assert "The order is being closed" in (await learner.get(f"/checkout/{order}")).text
    world.till.tell(order, "closed", status="canceled")
    assert "You have canceled this order" in (await learner.get(f"/checkout/{order}")).text
    again = await learner.post(f"/orders/{order}/again", headers=OURS)
    assert again.headers["location"] == "/cart"
    assert await pay(learner, world) != order


async def test_while_the_till_is_away_the_page_says_that_nothing_is_lost(
    learner: httpx.AsyncClient, world: World
) -> None:
    order = await pay(learner, world)
    world.network.failing["payments"] = 503
    page = await learner.get(f"/checkout/{order}")
    assert page.status_code == 200
    assert "The till does not answer right now" in page.text
    attempt = await learner.post(f"/checkout/{order}/attempts", data={"number": "2"}, headers=OURS)
    assert attempt.status_code == 503
    world.shop.settle(order, "fulfilled")
    assert "Paid. Thank you!" in (await learner.get(f"/checkout/{order}")).text


async def test_nobody_sees_or_changes_another_persons_order(
    learner: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    order = await pay(learner, world)
    world.identity.user = UUID(int=99)
    async with browsing(app) as peer:
        await sign_in(peer, world)
        for path in (
            f"/checkout/{order}",
            f"/checkout/{order}/events",
            f"/orders/{order}",
            f"/orders/{order}/receipt",
        ):
            assert (await peer.get(path)).status_code == 404
        for form in (f"/checkout/{order}/cancel", f"/checkout/{order}/attempts", f"/orders/{order}/again"):
            assert (await peer.post(form, data={"number": "1"}, headers=OURS)).status_code == 404
    assert world.shop.orders[order].status == "pending_payment"


# Live


async def test_the_page_hears_of_a_payment_within_a_moment_and_then_the_stream_ends(
    learner: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "LATER_SECONDS", 60.0)  # so that only being told can make it prompt
    monkeypatch.setattr(buying, "SELDOM_SECONDS", 60.0)
    order = await pay(learner, world)
    async with watching(learner, order) as stream:
        await asyncio.wait_for(world.till.listening.wait(), 5)
        async with looked_again(world, "payments"):
            world.till.tell(order, "pending")
        async with looked_again(world, "commerce"):
            world.till.tell(order, "succeeded", status="succeeded")
        world.shop.settle(order, "fulfilled")
        answer = await asyncio.wait_for(stream, 5)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert marks(answer) == ["scan-1", "confirming-1", "settling-1", "paid-1"]


async def test_while_payments_would_tell_nobody_asks_and_when_its_stream_breaks_off_somebody_does(
    learner: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "LATER_SECONDS", 0.02)
    monkeypatch.setattr(buying, "SELDOM_SECONDS", 60.0)
    order = await pay(learner, world)
    async with watching(learner, order) as stream:
        await asyncio.wait_for(world.till.listening.wait(), 5)
        before = len(world.network.asked("commerce"))
        await asyncio.wait((stream,), timeout=25 * buying.LATER_SECONDS)
        assert len(world.network.asked("commerce")) <= before + 1
        async with looked_again(world, "commerce", times=3):
            world.till.hang_up()
        world.shop.settle(order, "canceled")
        world.till.tell(order, "closed", status="canceled")
        assert marks(await asyncio.wait_for(stream, 5)) == ["scan-1", "canceled-1"]


async def test_the_page_hears_of_it_even_when_payments_tells_nothing(
    learner: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "SELDOM_SECONDS", 0.02)
    order = await pay(learner, world)
    async with watching(learner, order) as stream:
        await asyncio.wait_for(world.till.listening.wait(), 5)
        world.till.streams.clear()
        world.network.failing["payments"] = 503
        world.shop.settle(order, "fulfilled")
        answer = await asyncio.wait_for(stream, 5)
    assert marks(answer)[-1].startswith("paid")


async def test_a_stream_survives_services_that_are_away_for_a_moment(
    learner: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "SELDOM_SECONDS", 0.02)
    order = await pay(learner, world)
    async with watching(learner, order) as stream:
        await asyncio.wait_for(world.till.listening.wait(), 5)
        async with looked_again(world, "commerce", times=3):
            world.network.failing["commerce"] = 503
        assert not stream.done()
        world.network.failing.clear()
        world.shop.settle(order, "canceled")
        world.till.tell(order, "closed", status="canceled")
        answer = await asyncio.wait_for(stream, 5)
    assert marks(answer)[-1].startswith("canceled")


async def test_a_stream_needs_a_session(shopper: httpx.AsyncClient) -> None:
    answer = await shopper.get(f"/checkout/{UUID(int=1)}/events", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 401
