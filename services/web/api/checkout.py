"""The checkout: one order per cart, its QR code, and what becomes of it, live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import ValidationError

from services.web.api.cart import FORM_BYTES, cart_page
from services.web.api.dependencies import CartId, Shop, SignedIn, Till
from services.web.api.pages import HeadOfPage, onward, page
from services.web.clients.calling import Refused, unusable
from services.web.usecases import buying
from suuupra import errors, ui
from suuupra.amounts import AmountGiven

SAME_ORIGIN: Final = [Depends(ui.require_same_origin)]
STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MOST_ATTEMPTS: Final = 100
PAY_AGAIN: Final = "look at the cart again and pay from there"

router = APIRouter(include_in_schema=False)


@router.post("/checkout", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def place(
    request: Request,
    shop: Shop,
    till: Till,
    head: HeadOfPage,
    viewer: SignedIn,
    known: CartId,
    cart: Annotated[UUID | None, Form()] = None,
    total: Annotated[str, Form()] = "",
    currency: Annotated[str, Form()] = "",
) -> Response:
    """Order what is in the cart that the form showed, at the total it showed, and go on to pay it."""
    chosen = str(cart) if cart else known
    try:
        order = await buying.place(shop, chosen, _shown(total, currency), viewer.bearer)
    except buying.NothingToOrder:
        return onward("/cart")
    except (Refused, errors.Invalid) as trouble:
        # Such as a price that changed: the cart as it is now says so.
        return await cart_page(request, head, await shop.cart(chosen, viewer.bearer), trouble=trouble)
    await buying.first_attempt(till, order, viewer.bearer)
    return onward(f"/checkout/{order}")


@router.get("/checkout/{order}")
async def show(
    request: Request, shop: Shop, till: Till, head: HeadOfPage, viewer: SignedIn, order: UUID
) -> Response:
    """Where paying an order is: the QR code, what went wrong and what to do, or that it is paid."""
    view = await buying.look(shop, till, order, viewer.bearer)
    left = None
    if view.now.attempt and view.now.attempt.expires_at:
        left = max(int((view.now.attempt.expires_at - request.app.state.clock.now()).total_seconds()), 0)
    return await page(request, "checkout.html", head, section="cart", view=view, seconds_left=left)


@router.post("/checkout/{order}/attempts", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def attempt(
    shop: Shop,
    till: Till,
    viewer: SignedIn,
    order: UUID,
    number: Annotated[int, Form(ge=1, le=MOST_ATTEMPTS)],
) -> Response:
    """A (further) QR code."""
    await buying.next_attempt(shop, till, order, number, viewer.bearer)
    return onward(f"/checkout/{order}")


@router.post("/checkout/{order}/cancel", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def cancel(shop: Shop, viewer: SignedIn, order: UUID) -> Response:
    """Withdraw the order."""
    await shop.cancel(order, viewer.bearer)
    return onward(f"/checkout/{order}")


@router.get("/checkout/{order}/events")
async def events(shop: Shop, till: Till, viewer: SignedIn, order: UUID) -> Response:
    """Tells the checkout's mark, now and whenever it changes (text/event-stream)."""
    await shop.order(order, viewer.bearer)  # somebody else's, or none: say so before the stream begins
    marks = buying.watch(shop, till, order, viewer.bearer)
    return StreamingResponse(_stream(marks), media_type="text/event-stream", headers=STREAM_HEADERS)


async def _stream(marks: AsyncIterator[str]) -> AsyncIterator[str]:
    async for mark in marks:
        yield f"event: mark\ndata: {mark}\n\n" if mark else ": still here\n\n"


def _shown(total: str, currency: str) -> AmountGiven:
    """The total as the form has it; Invalid for a form without one, or with one that is no amount."""
    try:
        return AmountGiven(currency=currency, amount=total)
    except ValidationError as error:
        if {it["loc"][0] for it in error.errors()} == {"currency"}:
            raise unusable("body.currency", "must be a currency such as INR", PAY_AGAIN) from error
        raise unusable("body.total", "must be an amount such as 499.00", PAY_AGAIN) from error
