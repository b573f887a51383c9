"""A cart that cannot be ordered as its form says: nothing is, and the cart as it is now says why and what to do."""

from __future__ import annotations

import httpx
import pytest

from services.web.tests.conftest import OURS, World
from services.web.tests.markup import one, tree
from services.web.tests.shopping import FROM_CART, fill

pytestmark = pytest.mark.integration


async def test_a_tab_whose_total_is_old_orders_nothing_and_is_shown_the_cart_as_it_is(
    learner: httpx.AsyncClient, world: World
) -> None:
    form = await fill(learner, world)
    await learner.post("/cart/coupon", data={"code": "WELCOME10"}, headers=OURS)
    answer = await learner.post("/checkout", data=form, headers=FROM_CART)
    assert answer.status_code == 409
    said = one(tree(answer), "[role=alert]").text()
    assert "The total has to be what the cart costs now, ₹449.10, and you were shown another." in said
    assert "Nothing was ordered. Look at the cart below and pay from there." in said
    assert world.shop.orders == {}


async def test_a_tab_whose_price_is_old_orders_nothing_and_is_asked_to_accept_the_present_one(
    learner: httpx.AsyncClient, world: World
) -> None:
    form = await fill(learner, world)
    world.shop.price = 59900
    answer = await learner.post("/checkout", data=form, headers=FROM_CART)
    assert answer.status_code == 409
    said = one(tree(answer), "[role=alert]").text()
    assert "what the cart costs now, ₹599.00, and you were shown another. Nothing was ordered." in said
    assert "Accept below what has changed, or take it out, and then pay." in said
    assert one(tree(answer), ".notice-warning form button").text() == "Accept ₹599.00"
    assert world.shop.orders == {}


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        *(
            ("total", total, "The total must be an amount such as 499.00.")
            for total in ("499.001", "-1", "NaN", "1e3", "9" * 39, "9" * 400, "", "₹499.00", "۴۹۹.00")
        ),
        ("currency", "", "The currency must be a currency such as INR."),
        ("currency", "XXQ", "The currency must be a currency such as INR."),
        ("currency", "USD", "The currency must be in INR, the cart's currency."),
    ],
)
async def test_a_total_that_is_no_amount_is_told_with_the_cart_and_orders_nothing(
    learner: httpx.AsyncClient, world: World, field: str, value: str, rule: str
) -> None:
    form = {**await fill(learner, world), field: value}
    answer = await learner.post("/checkout", data=form, headers=FROM_CART)
    assert 400 <= answer.status_code < 500
    alert = one(tree(answer), "[role=alert]")
    assert rule in alert.text()
    assert one(alert, "li").text() in ("Look at the cart again and pay from there", "Send INR")
    assert one(tree(answer), ".cart-line h2").text() == "Rust"
    assert world.shop.orders == {}


async def test_an_empty_cart_cannot_be_ordered(learner: httpx.AsyncClient, world: World) -> None:
    form = {"total": "499.00", "currency": "INR"}
    assert (await learner.post("/checkout", data=form, headers=FROM_CART)).headers["location"] == "/cart"
    assert world.shop.orders == {}
