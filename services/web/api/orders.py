"""A person's orders: the list, each with its story, and the receipt."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from services.web.api.cart import FORM_BYTES
from services.web.api.cookies import CART, settings_of
from services.web.api.dependencies import CartId, Shop, SignedIn
from services.web.api.pages import HeadOfPage, onward, page
from services.web.usecases import buying
from suuupra import ui

ORDERS_PER_PAGE: Final = 20

router = APIRouter(include_in_schema=False)


@router.get("/orders")
async def listed(
    request: Request,
    shop: Shop,
    head: HeadOfPage,
    viewer: SignedIn,
    cursor: Annotated[str | None, Query(max_length=1100)] = None,
) -> Response:
    """The latest first."""
    orders = await shop.orders(viewer.bearer, cursor, ORDERS_PER_PAGE)
    return await page(
        request, "orders.html", head, section="account", orders=orders, paged=cursor is not None
    )


@router.get("/orders/{order}")
async def show(request: Request, shop: Shop, head: HeadOfPage, viewer: SignedIn, order: UUID) -> Response:
    """An order with everything that happened to it."""
    found = await shop.order(order, viewer.bearer)
    return await page(request, "order.html", head, section="account", order=found)


@router.get("/orders/{order}/receipt")
async def receipt(request: Request, shop: Shop, head: HeadOfPage, viewer: SignedIn, order: UUID) -> Response:
    """Number, lines and tax, to be printed or kept: a tax invoice where the seller is named with a GSTIN."""
    found = await shop.order(order, viewer.bearer)
    if found.invoice_number is None:
        return onward(f"/orders/{order}")
    seller = settings_of(request).seller
    return await page(request, "receipt.html", head, section="account", order=found, seller=seller)


@router.post(
    "/orders/{order}/again", dependencies=[Depends(ui.require_same_origin)], max_body_size=FORM_BYTES
)
async def again(request: Request, shop: Shop, cart: CartId, viewer: SignedIn, order: UUID) -> Response:
    """What the order held, in the cart once more."""
    found = await buying.again(shop, order, cart, viewer.bearer)
    response = onward("/cart")
    CART.set(request, response, str(found.id))
    return response
