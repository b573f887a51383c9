"""From a cart to an order: at the prices shown, once, or not at all."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.waiting import insisted

pytestmark = pytest.mark.integration

_ANONYMOUS = text("UPDATE cart SET user_id = NULL WHERE id = :id")


async def test_an_order_keeps_what_was_bought_as_it_was_priced(
    shop: Shop, seller: Person, learner: Person, deliveries: Deliveries
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    order = await learner.order(variant)
    changes = {"title": "Renamed", "prices": [{"currency": "INR", "amount": "1.00"}]}
    ok(await seller.patch(f"/v1/products/{made['id']}/variants/{variant}", changes))
    now = await learner.order_now(order["id"])
    assert (now["status"], now["payment"], now["total"]["text"]) == ("pending_payment", "awaited", "499.00")
    line = now["lines"][0]
    assert (line["title"], line["unit_minor"], line["tax_minor"]) == ("Python · Self-paced", 49_900, 7_612)
    ((_, event),) = await deliveries.published("order.created")
    assert (event["order_id"], event["number"]) == (order["id"], order["number"])
    assert (event["total_minor"], event["tax_minor"], event["currency"]) == (49_900, 7_612, "INR")
    assert event["lines"][0]["course_id"] == made["course"]["id"]
    assert (event["created_at"], event["expires_at"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z")


async def test_an_order_is_found_by_its_number_in_the_list(shop: Shop, learner: Person) -> None:
    first, second = await learner.order(await shop.variant()), await learner.order(await shop.variant())
    listed = ok(await learner.get("/v1/orders"))["items"]
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    found = ok(await learner.get("/v1/orders", number=first["number"]))["items"]
    assert [one["titles"] for one in found] == [["Python · Self-paced"]]
    assert ok(await learner.get("/v1/orders", status="paid"))["items"] == []


async def test_a_cart_whose_price_changed_is_refused_and_nothing_changes(
    shop: Shop, seller: Person, learner: Person, deliveries: Deliveries
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    cart = await learner.cart(variant)
    prices = [{"currency": "INR", "amount": "599.00"}]
    ok(await seller.patch(f"/v1/products/{made['id']}/variants/{variant}", {"prices": prices}))
    wrong = problem(await learner.post("/v1/orders", {"cart_id": cart["id"]}), 409, "price-changed")
    assert wrong["field"] == f"cart.lines.{variant}"
    assert "499.00 INR" in wrong["rule"]
    assert ok(await learner.get("/v1/orders"))["items"] == []
    assert await deliveries.types() == []
    ok(await learner.put(f"/v1/carts/{cart['id']}/lines/{variant}", {}))
    assert ok(await learner.post("/v1/orders", {"cart_id": cart["id"]}))["total"]["text"] == "599.00"


async def test_the_total_that_the_buyer_was_shown_must_still_be_the_total(
    shop: Shop, learner: Person
) -> None:
    cart = await learner.cart(await shop.variant())

    async def ordering(currency: str, amount: str) -> httpx.Response:
        body = {"cart_id": cart["id"], "total": {"currency": currency, "amount": amount}}
        return await learner.post("/v1/orders", body)

    assert problem(await ordering("INR", "449.10"), 409, "price-changed")["field"] == "body.total"
    assert problem(await ordering("JPY", "499"), 422, "invalid")["field"] == "body.total.currency"
    assert problem(await ordering("INR", "499.001"), 422, "invalid")["field"] == "body.total.amount"
    ok(await ordering("INR", "499.00"))


async def test_what_is_no_longer_for_sale_is_refused_by_line(
    shop: Shop, seller: Person, learner: Person
) -> None:
    kept, gone = await shop.product(), await shop.product()
    variants = [kept["variants"][0]["id"], gone["variants"][0]["id"]]
    cart = await learner.cart(*variants)
    ok(await seller.patch(f"/v1/products/{gone['id']}", {"active": False}))
    wrong = problem(await learner.post("/v1/orders", {"cart_id": cart["id"]}), 409, "cart-not-orderable")
    assert (wrong["field"], wrong["rule"]) == (f"cart.lines.{variants[1]}", "must be for sale")


async def test_an_empty_cart_is_not_ordered(learner: Person) -> None:
    cart = await learner.cart()
    problem(await learner.post("/v1/orders", {"cart_id": cart["id"]}), 409, "cart-not-orderable")


async def test_a_second_click_and_a_second_tab_are_led_to_the_order_that_is_there(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    cart = await learner.cart(await shop.variant())
    answers = await asyncio.gather(*(learner.post("/v1/orders", {"cart_id": cart["id"]}) for _ in range(5)))
    made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert len(made) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "cart-ordered")
            assert answer.json()["order_id"] == made[0]
    assert await deliveries.types() == ["order.created"]
    variant = str(uuid4())
    problem(await learner.put(f"/v1/carts/{cart['id']}/lines/{variant}", {}), 409, "cart-ordered")


async def test_an_anonymous_cart_is_ordered_by_the_user_who_signed_in(
    shop: Shop, nobody: Person, learner: Person
) -> None:
    cart = await nobody.cart(await shop.variant())
    assert (await nobody.post("/v1/orders", {"cart_id": cart["id"]})).status_code == 401
    assert ok(await learner.post("/v1/orders", {"cart_id": cart["id"]}))["user_id"] == learner.id


async def test_what_the_user_has_is_not_sold_to_them_again(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    variant = await shop.variant()
    order = await learner.order(variant)
    await deliveries.pay(order)
    cart = await learner.cart(variant)
    wrong = problem(await learner.post("/v1/orders", {"cart_id": cart["id"]}), 409, "already-yours")
    assert order["id"] in wrong["rule"]


async def test_m21_what_a_pending_order_holds_is_not_ordered_again_and_that_order_is_named(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    """Two tabs, two carts: the second is led to the order of the first, until that one has ended."""
    variant = await shop.variant()
    order = await learner.order(variant)
    cart = await learner.cart(variant, await shop.variant())
    refused = await learner.post("/v1/orders", {"cart_id": cart["id"]})
    wrong = problem(refused, 409, "already-ordered")
    assert (wrong["field"], refused.json()["order_id"]) == (f"cart.lines.{variant}", order["id"])
    assert await deliveries.types() == ["order.created"]
    clock.advance(timedelta(minutes=15))
    await deliveries.do_what_is_due()
    ok(await learner.post("/v1/orders", {"cart_id": cart["id"]}))


async def test_m21_two_carts_ordered_at_once_make_one_order(
    shop: Shop, learner: Person, signed_in: Callable[..., Person], deliveries: Deliveries, database: Database
) -> None:
    variant = await shop.variant()
    for _ in range(10):
        buyer = signed_in()
        carts = [await buyer.cart(variant)]
        async with database.transaction() as tx:  # as another tab may have left it before it was claimed
            await tx.execute(_ANONYMOUS, {"id": carts[0]["id"]})
        carts.append(await buyer.cart(variant))
        answers = await asyncio.gather(*(buyer.post("/v1/orders", {"cart_id": one["id"]}) for one in carts))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        first, second = sorted(answers, key=lambda answer: answer.status_code)
        problem(second, 409, "already-ordered")
        assert second.json()["order_id"] == first.json()["id"]


async def test_m3_one_key_a_hundred_times_in_parallel_is_one_order(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    cart = await learner.cart(await shop.variant())
    send = partial(learner.post, "/v1/orders", {"cart_id": cart["id"]}, key="one")
    answers = await asyncio.gather(*(insisted(send) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await deliveries.types() == ["order.created"]


async def test_m3_a_changed_body_is_422_and_a_missing_key_400(shop: Shop, learner: Person) -> None:
    first, second = await learner.cart(await shop.variant()), str(uuid4())
    ok(await learner.post("/v1/orders", {"cart_id": first["id"]}, key="one"))
    changed = await learner.post("/v1/orders", {"cart_id": second}, key="one")
    problem(changed, 422, "idempotency-key-reused")
    body = {"cart_id": first["id"]}
    missing = await learner.client.post("/v1/orders", json=body, headers=learner.headers)
    assert problem(missing, 400, "bad-request")["field"] == "header.Idempotency-Key"


async def test_a_free_order_is_fulfilled_without_a_payment(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    course_id = await shop.course()
    variant = (await shop.product(course_id=course_id, prices=[{"currency": "INR", "amount": "0"}]))[
        "variants"
    ]
    order = await learner.order(variant[0]["id"])
    assert (order["status"], order["payment"], order["refundable"]["minor"]) == ("fulfilled", "succeeded", 0)
    assert await deliveries.types() == ["order.paid", "entitlement.granted"]
    courses = ok(await learner.get("/v1/entitlements"))["items"]
    assert [one["course_id"] for one in courses] == [str(course_id)]


async def test_a_buyer_withdraws_what_is_not_paid(
    shop: Shop, learner: Person, deliveries: Deliveries, signed_in: Callable[..., Person]
) -> None:
    order = await learner.order(await shop.variant())
    for _ in range(2):
        canceled = ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
        assert (canceled["status"], canceled["payment"]) == ("canceled", "none")
    assert await deliveries.types() == ["order.created", "order.canceled"]
    paid = await learner.order(await shop.variant())
    await deliveries.pay(paid)
    wrong = problem(await learner.post(f"/v1/orders/{paid['id']}/cancel"), 409, "wrong-state")
    assert "refund" in wrong["fix"]
