"""What web asks of commerce: offers, carts, orders, and what a person has bought."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID

import httpx

from services.commerce.contract import (
    CartCoupon,
    CartQuantity,
    CartView,
    Entitlements,
    NewCart,
    NewOrder,
    OrderSummary,
    OrderView,
    ProductView,
    VariantView,
)
from services.web.clients.calling import Away, Call, Service, segment
from services.web.domain.shopping import Offer
from suuupra.amounts import AmountGiven
from suuupra.clock import Clock
from suuupra.errors import NotFound
from suuupra.money import Money
from suuupra.pagination import Page

CURRENCY: Final = "INR"
"""Prices are shown in it where a product has one, and carts are in it."""
OFFERS_KEPT_SECONDS: Final = 10.0
"""How old a price on a page may be. The cart always asks, and an order names the total that was shown."""
PRODUCTS_AT_ONCE: Final = 100
MOST_PAGES: Final = 20


class CommerceAway(Away):
    """Commerce does not answer, or answers that it cannot."""

    slug = "commerce-away"
    title = "The shop is away for a moment"
    about = "Prices and orders cannot be reached right now. Your cart and your courses are safe; try again in a few seconds."


class Commerce(Service):
    """The shop."""

    name: ClassVar[str] = "commerce"
    away: ClassVar[type[Away]] = CommerceAway

    def __init__(self, address: str, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(address, transport)
        self._clock = clock
        self._offers: tuple[Offer, ...] = ()
        self._offers_at = float("-inf")
        self._asking = asyncio.Lock()

    async def offers(self) -> tuple[Offer, ...]:
        """Everything on sale. Kept for some seconds, so that a busy catalogue asks once."""
        if self._stale():
            async with self._asking:
                if self._stale():
                    self._offers = tuple(_offers(await self._products()))
                    self._offers_at = self._clock.monotonic()
        return self._offers

    def _stale(self) -> bool:
        return self._clock.monotonic() - self._offers_at >= OFFERS_KEPT_SECONDS

    async def _products(self) -> list[ProductView]:
        found: list[ProductView] = []
        params = {"limit": str(PRODUCTS_AT_ONCE)}
        for _ in range(MOST_PAGES):
            page = await self.get(Page[ProductView], "/v1/products", params)
            found += page.items
            if page.next is None:
                break
            params["cursor"] = page.next
        return found

    async def owned(self, bearer: str) -> frozenset[UUID]:
        """The courses that a person has."""
        return frozenset(one.course_id for one in (await self.entitlements(bearer)).items)

    async def entitlements(self, bearer: str) -> Entitlements:
        """A person's courses, with their names, the latest first."""
        return await self.get(Entitlements, "/v1/entitlements", bearer=bearer)

    async def cart(self, cart: str | None, bearer: str | None) -> CartView | None:
        """A cart at present prices; None when there is none (any more), or it is somebody else's."""
        id_ = _id(cart)
        if id_ is None:
            return None
        try:
            return await self.get(CartView, f"/v1/carts/{id_}", bearer=bearer)
        except NotFound:
            return None

    async def count(self, cart: str, bearer: str | None) -> int:
        """How many things are in a cart."""
        found = await self.cart(cart, bearer)
        return sum(line.quantity for line in found.lines) if found and found.status == "open" else 0

    async def new_cart(self, bearer: str | None) -> CartView:
        """A new cart; a person's open one when there is one."""
        body = NewCart(currency=CURRENCY).model_dump(mode="json")
        return CartView.model_validate_json(
            (await self.ask(Call("POST", "/v1/carts", json=body, bearer=bearer))).content
        )

    async def put(self, cart: str, variant: UUID, quantity: int, bearer: str | None) -> CartView:
        """Have that many of a variant in the cart, at its present price."""
        body = CartQuantity(quantity=quantity).model_dump(mode="json")
        return await self._changed("PUT", cart, f"lines/{variant}", bearer, body)

    async def remove(self, cart: str, variant: UUID, bearer: str | None) -> CartView:
        """Have none of a variant."""
        return await self._changed("DELETE", cart, f"lines/{variant}", bearer)

    async def use_coupon(self, cart: str, code: str, bearer: str | None) -> CartView:
        """Use a coupon instead of whichever was used."""
        body = CartCoupon(code=code).model_dump(mode="json")
        return await self._changed("PUT", cart, "coupon", bearer, body)

    async def drop_coupon(self, cart: str, bearer: str | None) -> CartView:
        """Use none."""
        return await self._changed("DELETE", cart, "coupon", bearer)

    async def claim(self, cart: str | None, bearer: str) -> str | None:
        """Make a visitor's cart the person's, together with what theirs held; theirs alone when there is no other."""
        if cart is not None and _id(cart) is not None:
            try:
                return str((await self._changed("POST", cart, "claim", bearer)).id)
            except NotFound:
                pass  # it has ended, or is another person's: theirs is what counts
        return str((await self.new_cart(bearer)).id)

    async def _changed(
        self, method: str, cart: str, what: str, bearer: str | None, body: object = None
    ) -> CartView:
        call = Call(method, f"/v1/carts/{segment(cart)}/{what}", json=body, bearer=bearer)
        return CartView.model_validate_json((await self.ask(call)).content)

    async def order_cart(self, cart: CartView, shown: AmountGiven, bearer: str) -> OrderView:
        """The order of what is in a cart, at the total that was shown. However often it is asked: one order of one cart."""
        body = NewOrder(cart_id=cart.id, total=shown).model_dump(mode="json")
        call = Call("POST", "/v1/orders", json=body, bearer=bearer, key=f"order-{cart.id}")
        return OrderView.model_validate_json((await self.ask(call)).content)

    async def orders(self, bearer: str, cursor: str | None, limit: int) -> Page[OrderSummary]:
        """A person's orders, the latest first."""
        params = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        return await self.get(Page[OrderSummary], "/v1/orders", params, bearer=bearer)

    async def order(self, order: UUID, bearer: str) -> OrderView:
        """An order of theirs; NotFound."""
        return await self.get(OrderView, f"/v1/orders/{order}", bearer=bearer)

    async def find(self, bearer: str, **by: str) -> OrderSummary | None:
        """Anybody's order by its `number` or `payment_id`, for support; None when there is none."""
        page = await self.get(Page[OrderSummary], "/v1/orders", {"limit": "1", **by}, bearer=bearer)
        return page.items[0] if page.items else None

    async def everyones(self, bearer: str, cursor: str | None, limit: int) -> Page[OrderSummary]:
        """All people's orders, for support, the latest first."""
        params = {"everyone": "true", "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        return await self.get(Page[OrderSummary], "/v1/orders", params, bearer=bearer)

    async def cancel(self, order: UUID, bearer: str) -> None:
        """Withdraw an order that is not paid. Twice is once."""
        await self.ask(Call("POST", f"/v1/orders/{order}/cancel", bearer=bearer, key=f"cancel-{order}"))


def _id(cart: str | None) -> UUID | None:
    """A cart's id; None for a cookie that we cannot have set."""
    try:
        return UUID(cart or "")
    except ValueError:
        return None


def _offers(products: Iterable[ProductView]) -> Iterable[Offer]:
    for product in products:
        for variant in product.variants:
            price = _price(variant)
            if product.active and variant.active and price is not None:
                yield Offer(
                    variant_id=variant.id,
                    course_id=product.course.id if product.course else None,
                    title=product.title,
                    variant=variant.title,
                    price=price,
                    tax_permille=product.tax_permille,
                    seats_left=variant.seats_left,
                )


def _price(variant: VariantView) -> Money | None:
    shown = next((one for one in variant.prices if one.currency == CURRENCY), None)
    return Money(shown.minor, shown.currency) if shown else None
