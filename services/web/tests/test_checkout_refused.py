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
