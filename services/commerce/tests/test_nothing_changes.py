"""What is wrong with money, coupons, carts and prices is named by field, rule and cure, and nothing changes."""

from typing import Any
from uuid import uuid4

import pytest

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.db import Database
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration

AMOUNTS = [
    ({"currency": "INR", "amount": "499.001"}, "amount"),
    ({"currency": "JPY", "amount": "499.5"}, "amount"),
    ({"currency": "INR", "amount": "-499.00"}, "amount"),
    ({"currency": "INR", "amount": "1" + "0" * 25}, "amount"),
    ({"currency": "INR", "amount": "92233720368547758.08"}, "amount"),
    ({"currency": "INR", "amount": 499.0}, "amount"),
    ({"currency": "INR", "amount": "4,99"}, "amount"),
    ({"currency": "INR", "amount": "1e3"}, "amount"),
    ({"currency": "INR", "amount": "४९९"}, "amount"),
    ({"currency": "INR", "amount": ""}, "amount"),
    ({"currency": "XXQ", "amount": "1"}, "currency"),
    ({"currency": "inr", "amount": "1"}, "currency"),
    ({"amount": "1"}, "currency"),
]


@pytest.mark.parametrize(("amount", "part"), AMOUNTS)
async def test_an_amount_that_cannot_be_is_named_wherever_it_is_sent(
    shop: Shop,
    seller: Person,
    learner: Person,
    support: Person,
    deliveries: Deliveries,
    database: Database,
    amount: dict[str, Any],
    part: str,
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    order = await learner.order(variant)
    await deliveries.pay(order)
    cart = await learner.cart(await shop.variant())
    one = {"title": "x", "prices": [amount]}
    async with unchanged(database):
        answers = [
            (await seller.post("/v1/products", {"title": "x", "variants": [one]}), "variants[0].prices[0]"),
            (
                await seller.patch(f"/v1/products/{made['id']}/variants/{variant}", {"prices": [amount]}),
                "prices[0]",
            ),
            (await seller.post("/v1/coupons", {"code": "BAD", "amount": amount}), "amount"),
            (await learner.post("/v1/orders", {"cart_id": cart["id"], "total": amount}), "total"),
            (await support.post(f"/v1/orders/{order['id']}/refunds", {"amount": amount}), "amount"),
        ]
        for answer, where in answers:
            assert problem(answer, 422, "invalid")["field"] == f"body.{where}.{part}"


async def test_currencies_are_not_mixed(
    shop: Shop,
    nobody: Person,
    learner: Person,
    support: Person,
    deliveries: Deliveries,
    database: Database,
) -> None:
    only_rupees = await shop.variant(prices=[{"currency": "INR", "amount": "499.00"}])
    order = await learner.order(await shop.variant())
    await deliveries.pay(order)
    cart = await learner.cart(await shop.variant())
    yen = ok(await nobody.post("/v1/carts", {"currency": "JPY"}))
    async with unchanged(database):
        total = {"currency": "JPY", "amount": "499"}
        wrong = await learner.post("/v1/orders", {"cart_id": cart["id"], "total": total})
        assert problem(wrong, 422, "invalid")["field"] == "body.total.currency"
        back = await support.post(f"/v1/orders/{order['id']}/refunds", {"amount": total})
        assert problem(back, 422, "invalid")["field"] == "body.amount.currency"
        mixed = await nobody.put(f"/v1/carts/{yen['id']}/lines/{only_rupees}", {})
        problem(mixed, 409, "cart-not-orderable")
        second = await learner.post("/v1/carts", {"currency": "JPY"})
        assert problem(second, 409, "cart-not-orderable")["field"] == "body.currency"


@pytest.mark.parametrize("seconds", [0, -1, 901, 86_401, "1 s"])
async def test_an_order_waits_neither_no_time_nor_longer_than_the_shop_lets_it(
    shop: Shop, learner: Person, database: Database, seconds: Any
) -> None:
    cart = await learner.cart(await shop.variant())
    async with unchanged(database):
        wrong = await learner.post("/v1/orders", {"cart_id": cart["id"], "expires_in": seconds})
        assert problem(wrong, 422, "invalid")["field"] == "body.expires_in"


async def test_a_coupon_that_was_spent_is_refused_at_the_cart_and_at_the_checkout(
    shop: Shop, nobody: Person, learner: Person, database: Database
) -> None:
    await shop.coupon("ONCE", permille=100, max_uses=1)
    first = await learner.cart(await shop.variant())
    ok(await learner.put(f"/v1/carts/{first['id']}/coupon", {"code": "ONCE"}))
    second = await nobody.cart(await shop.variant())
    path = f"/v1/carts/{second['id']}/coupon"
    ok(await nobody.put(path, {"code": "ONCE"}))
    ok(await learner.post("/v1/orders", {"cart_id": first["id"]}))
    again = await learner.cart(await shop.variant())
    async with unchanged(database):
        spent = await learner.put(f"/v1/carts/{again['id']}/coupon", {"code": "ONCE"})
        assert problem(spent, 409, "coupon-refused")["field"] == "body.code"
        ordered = await learner.post("/v1/orders", {"cart_id": second["id"]})
        assert problem(ordered, 409, "coupon-refused")["field"] == "cart.coupon"


async def test_a_cart_whose_price_changed_is_refused_with_the_line(
    shop: Shop, seller: Person, learner: Person, database: Database
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    cart = await learner.cart(variant)
    prices = [{"currency": "INR", "amount": "599.00"}]
    ok(await seller.patch(f"/v1/products/{made['id']}/variants/{variant}", {"prices": prices}))
    async with unchanged(database):
        body = {"cart_id": cart["id"], "total": {"currency": "INR", "amount": "499.00"}}
        for sent in (body, {"cart_id": cart["id"]}):
            wrong = problem(await learner.post("/v1/orders", sent), 409, "price-changed")
            assert wrong["field"] in ("body.total", f"cart.lines.{variant}")


async def test_what_is_somebody_elses_or_nobodys_is_not_there(
    shop: Shop, learner: Person, support: Person, signed_in: Any, deliveries: Deliveries, database: Database
) -> None:
    order = await learner.order(await shop.variant())
    cart = await learner.cart(await shop.variant())
    stranger: Person = signed_in()
    async with unchanged(database):
        problem(await stranger.get(f"/v1/orders/{order['id']}"), 404, "not-found")
        problem(await stranger.post(f"/v1/orders/{order['id']}/cancel"), 404, "not-found")
        problem(await stranger.post("/v1/orders", {"cart_id": cart["id"]}), 404, "not-found")
        problem(await support.post(f"/v1/orders/{uuid4()}/refunds"), 404, "not-found")
        problem(await support.post(f"/v1/orders/{order['id']}/refunds"), 409, "wrong-state")
        problem(await support.post(f"/v1/orders/{order['id']}/refunds/{uuid4()}/retry"), 404, "not-found")
