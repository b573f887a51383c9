"""The cart: a visitor's by its cookie, a person's once they sign in."""

from __future__ import annotations

import re
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from services.commerce.contract import MOST_QUANTITY, CartView
from services.web.api.cookies import CART
from services.web.api.dependencies import Bearer, CartId, Shop, kept_session
from services.web.api.pages import HeadOfPage, PageHead, onward, page
from services.web.clients.calling import Refused, unusable
from services.web.usecases import buying
from suuupra import errors, ui
from suuupra.ui.templating import capital

FORM_BYTES: Final = 4096
SAME_ORIGIN: Final = [Depends(ui.require_same_origin), Depends(kept_session)]
COUPON: Final = re.compile(r"[A-Za-z0-9-]{3,32}")
DIGITS: Final = re.compile(r"[0-9]{1,9}")

router = APIRouter(include_in_schema=False)


@router.get("/cart", dependencies=[Depends(kept_session)])
async def show(request: Request, shop: Shop, head: HeadOfPage, cart: CartId, bearer: Bearer) -> Response:
    """What is in the cart, at present prices."""
    return await cart_page(request, head, await shop.cart(cart, bearer))


@router.post("/cart/lines", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def put(
    request: Request,
    shop: Shop,
    head: HeadOfPage,
    cart: CartId,
    bearer: Bearer,
    variant_id: Annotated[UUID, Form()],
    quantity: Annotated[str, Form()] = "1",
) -> Response:
    """Have that many in the cart; none takes it out. Putting it again also accepts its present price."""
    try:
        wanted = _quantity(quantity)
        if wanted == 0 and cart is not None:
            changed = await shop.remove(cart, variant_id, bearer)
        else:
            changed = await buying.put(shop, cart, variant_id, wanted, bearer)
    except (Refused, errors.Invalid) as trouble:
        return await cart_page(request, head, await shop.cart(cart, bearer), trouble=trouble)
    response = onward("/cart")
    CART.set(request, response, str(changed.id))
    return response


def _quantity(text: str) -> int:
    if DIGITS.fullmatch(text) and int(text) <= MOST_QUANTITY:
        return int(text)
    rule = f"must be a whole number from 0 to {MOST_QUANTITY:,}"
    raise unusable("body.quantity", rule, "set it to how many you want; 0 takes them out")


@router.post("/cart/coupon", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def coupon(
    request: Request,
    shop: Shop,
    head: HeadOfPage,
    cart: CartId,
    bearer: Bearer,
    code: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Use a coupon; without a code, none."""
    code = code.strip()
    if cart is None:
        return onward("/cart")
    if code and not COUPON.fullmatch(code):
        trouble = "A coupon has 3 to 32 letters, digits and hyphens, such as WELCOME10."
        return await cart_page(
            request, head, await shop.cart(cart, bearer), coupon=code, coupon_error=trouble
        )
    try:
        await (shop.use_coupon(cart, code, bearer) if code else shop.drop_coupon(cart, bearer))
    except (Refused, errors.NotFound) as refused:
        shown = await shop.cart(cart, bearer)
        fixes = [f"{capital(error.fix)}." for error in refused.errors if error.fix]
        trouble = " ".join([refused.detail, *fixes])
        return await cart_page(request, head, shown, coupon=code, coupon_error=trouble)
    return onward("/cart")


async def cart_page(
    request: Request,
    head: PageHead,
    cart: CartView | None,
    *,
    trouble: errors.Problem | None = None,
    coupon: str | None = None,
    coupon_error: str | None = None,
) -> Response:
    """The cart, with what was wrong with a form or refused of it, if anything was."""
    written = cart.coupon_code or "" if cart else ""
    return await page(
        request,
        "cart.html",
        head,
        status=trouble.status if trouble else 409 if coupon_error else 200,
        section="cart",
        cart=cart if cart and cart.status == "open" else None,
        ordered=cart.order_id if cart and cart.status == "ordered" else None,
        trouble=trouble,
        refusal=trouble.answer if isinstance(trouble, Refused) else None,
        coupon=written if coupon is None else coupon,
        coupon_error=coupon_error or (cart.coupon_problem if cart else None),
    )
