"""Web's double of commerce refuses in the words of the real one: what pages make of them is tested on the double."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.commerce.contract import CartView, ProductView
from services.web.clients.calling import Call, Refused
from services.web.clients.commerce import Commerce
from services.web.tests.commerce_double import CommerceDouble
from services.web.tests.conftest import ORIGIN
from services.web.tests.content_double import CourseDouble
from services.web.tests.people import sell, token_of
from services.web.tests.platform import Platform, platform
from suuupra.amounts import AmountGiven
from suuupra.clock import FakeClock
from suuupra.ids import new_id
from suuupra.pagination import Page
from suuupra.testing.objects import ObjectsServer
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration

UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RUPEES = AmountGiven(currency="INR", amount="1.00")
DOLLARS = AmountGiven(currency="USD", amount="499.00")


@dataclass
class Shopping:
    """Somebody with a course in the cart, at one of the two shops."""

    shop: Commerce
    bearer: str
    variant: UUID
    price: Callable[[str], Awaitable[None]]

    async def cart(self) -> CartView:
        """Their open cart, with the course in it."""
        made = await self.shop.new_cart(self.bearer)
        return await self.shop.put(str(made.id), self.variant, 1, self.bearer)

    async def order(self, cart: CartView, shown: AmountGiven | None = None) -> None:
        """Order it, at its own total unless another was shown."""
        own = AmountGiven(currency=cart.total.currency, amount=cart.total.text)
        await self.shop.order_cart(cart, shown or own, self.bearer)


async def an_old_total(they: Shopping) -> None:
    await they.order(await they.cart(), RUPEES)


async def a_total_in_another_currency(they: Shopping) -> None:
    await they.order(await they.cart(), DOLLARS)


async def a_price_that_changed(they: Shopping) -> None:
    cart = await they.cart()
    await they.price("599.00")
    await they.order(cart)


async def more_than_one_order_may_hold(they: Shopping) -> None:
    await they.shop.put(str((await they.cart()).id), they.variant, 2, they.bearer)


async def a_coupon_that_is_none(they: Shopping) -> None:
    await they.shop.use_coupon(str((await they.cart()).id), "NOSUCH", they.bearer)


async def what_an_order_of_theirs_holds(they: Shopping) -> None:
    await they.order(await they.cart())
    await they.order(await they.cart())


async def a_cart_that_was_ordered(they: Shopping) -> None:
    cart = await they.cart()
    await they.order(cart)
    body = {"cart_id": str(cart.id)}
    await they.shop.ask(Call("POST", "/v1/orders", json=body, bearer=they.bearer, key="another"))


async def a_cart_in_another_currency_than_theirs(they: Shopping) -> None:
    await they.cart()
    answer = await they.shop.ask(Call("POST", "/v1/carts", json={"currency": "USD"}))
    visitors = CartView.model_validate_json(answer.content).id
    await they.shop.put(str(visitors), they.variant, 1, None)
    await they.shop.claim(str(visitors), they.bearer)


STEPS: tuple[Callable[[Shopping], Awaitable[None]], ...] = (
    an_old_total,
    a_total_in_another_currency,
    a_price_that_changed,
    more_than_one_order_may_hold,
    a_coupon_that_is_none,
    what_an_order_of_theirs_holds,
    a_cart_that_was_ordered,
    a_cart_in_another_currency_than_theirs,
)


async def refusal(steps: Callable[[Shopping], Awaitable[None]], they: Shopping) -> dict[str, Any]:
    """What is refused in the end, without the ids in it."""
    await they.price("499.00")
    with pytest.raises(Refused) as refused:
        await steps(they)
    answer = refused.value.answer
    words = (answer.detail, *((one.field, one.rule, one.fix) for one in answer.errors))
    told = UUIDS.sub("ID", repr(words))
    return {"status": answer.status, "slug": answer.slug, "leads on": bool(answer.order_id), "words": told}


async def real(world: Platform) -> Callable[[], Awaitable[Shopping]]:
    """Buyers at the real shop."""
    sold = await sell(world)
    shop = Commerce("http://commerce:8000", world.clock, world.network)
    await shop.open()
    product = (await shop.get(Page[ProductView], "/v1/products")).items[0].id

    async def price(amount: str) -> None:
        headers = {"Authorization": f"Bearer {await token_of(world, 'creator')}", "If-Match": "*"}
        path = f"/v1/products/{product}/variants/{sold.variant}"
        async with httpx.AsyncClient(
            transport=world.network, base_url="http://commerce:8000", headers=headers
        ) as seller:
            body = {"prices": [{"currency": currency, "amount": amount} for currency in ("INR", "USD")]}
            assert (await seller.patch(path, json=body)).is_success

    async def somebody() -> Shopping:
        bearer = await token_of(world, "learner", str(new_id()))
        return Shopping(shop, bearer, UUID(sold.variant), price)

    return somebody


async def doubled() -> Shopping:
    """A buyer at a double of the shop."""
    course = CourseDouble("rust", "Rust", {"Start": ["hello"]}, preview=1)
    double = CommerceDouble([course], _bearer)
    shop = Commerce(ORIGIN, FakeClock(), double.transport())
    await shop.open()

    async def price(amount: str) -> None:
        double.price = AmountGiven(currency="INR", amount=amount).money.minor

    return Shopping(shop, str(new_id()), double.variant(course), price)


def _bearer(request: httpx.Request) -> UUID | None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return UUID(bearer) if bearer else None


async def test_the_double_refuses_what_commerce_refuses_in_its_words(
    postgres: PostgresServer, objects: ObjectsServer
) -> None:
    async with platform(postgres, objects) as world:
        somebody = await real(world)
        told = {steps.__name__: await refusal(steps, await somebody()) for steps in STEPS}
    assert {steps.__name__: await refusal(steps, await doubled()) for steps in STEPS} == told
