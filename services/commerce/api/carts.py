"""Carts. An anonymous cart belongs to whoever knows its id, a user's to the user."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Response

from services.commerce import contract
from services.commerce.api.dependencies import Buyer, Db, MaybeBuyer, Told
from services.commerce.usecases import carts
from suuupra.app import Now
from suuupra.openapi import problems

router = APIRouter(prefix="/v1/carts", tags=["carts"])


@router.post(
    "", status_code=201, responses={200: {"description": "The open cart you have."}, **problems(409)}
)
async def begin_cart(
    db: Db,
    clock: Now,
    told: Told,
    buyer: MaybeBuyer,
    response: Response,
    new: Annotated[contract.NewCart | None, Body()] = None,
) -> contract.CartView:
    """Begin a cart; a user gets the open one they have."""
    asked = new.currency if new else None
    async with db.transaction() as tx:
        view, made = await carts.begin(tx, clock, buyer, told.currency, asked, told.cart_lifetime)
    response.status_code = 201 if made else 200
    response.headers["Location"] = f"{router.prefix}/{view.id}"
    return view


@router.get("/{cart_id}")
async def read_cart(db: Db, clock: Now, buyer: MaybeBuyer, cart_id: UUID) -> contract.CartView:
    """The cart at present prices, and what stands against ordering it."""
    async with db.reading() as tx:
        row = await carts.visible(tx, cart_id, buyer)
        return await carts.view(tx, row, buyer, clock.now())


@router.put("/{cart_id}/lines/{variant_id}", responses=problems(409))
async def put_line(
    db: Db,
    clock: Now,
    buyer: MaybeBuyer,
    cart_id: UUID,
    variant_id: UUID,
    wanted: contract.CartQuantity,
) -> contract.CartView:
    """Have the cart hold so many of a variant, at its present price."""
    async with db.transaction() as tx:
        return await carts.put_line(tx, clock, buyer, cart_id, variant_id, wanted.quantity)


@router.delete("/{cart_id}/lines/{variant_id}", responses=problems(409))
async def remove_line(
    db: Db, clock: Now, buyer: MaybeBuyer, cart_id: UUID, variant_id: UUID
) -> contract.CartView:
    """Take a variant out."""
    async with db.transaction() as tx:
        return await carts.remove_line(tx, clock, buyer, cart_id, variant_id)


@router.put("/{cart_id}/coupon", responses=problems(409))
async def set_coupon(
    db: Db, clock: Now, buyer: MaybeBuyer, cart_id: UUID, wanted: contract.CartCoupon
) -> contract.CartView:
    """Use a coupon."""
    async with db.transaction() as tx:
        return await carts.set_coupon(tx, clock, buyer, cart_id, wanted.code)


@router.delete("/{cart_id}/coupon", responses=problems(409))
async def drop_coupon(db: Db, clock: Now, buyer: MaybeBuyer, cart_id: UUID) -> contract.CartView:
    """Use no coupon."""
    async with db.transaction() as tx:
        return await carts.drop_coupon(tx, clock, buyer, cart_id)


@router.post("/{cart_id}/claim", responses=problems(409))
async def claim_cart(db: Db, clock: Now, buyer: Buyer, cart_id: UUID) -> contract.CartView:
    """Make an anonymous cart yours: it becomes your cart, or joins the one you have, which is answered.

    409 while both have something in them, in different currencies: they stay as they are.
    """
    async with db.transaction() as tx:
        return await carts.claim(tx, clock, buyer, cart_id)
