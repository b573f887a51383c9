"""Price lists and coupons, for sellers."""

from datetime import datetime
from functools import partial
from uuid import UUID

from fastapi import APIRouter, Response

from services.commerce.api.dependencies import Db, Selling
from services.commerce.store import coupons as coupon_store
from services.commerce.usecases import coupons, forms, prices
from suuupra.amounts import AmountGiven
from suuupra.app import Now
from suuupra.db import conflict
from suuupra.etags import IfMatch, etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1", tags=["offers"])


@router.get("/price-lists")
async def list_price_lists(db: Db, seller: Selling) -> forms.PriceLists:
    """Your price lists, the newest first."""
    async with db.reading() as tx:
        return await prices.read_all(tx, seller)


@router.post("/price-lists", status_code=201, response_model=forms.PriceListView)
async def create_price_list(
    db: Db, clock: Now, seller: Selling, once: RequiredKey, new: forms.NewPriceList
) -> Response:
    """Begin a price list."""
    effect = partial(prices.create, clock=clock, seller=seller, new=new)
    with conflict({"price_list_code": prices.code_taken()}):
        return await once.answer(db, effect)


@router.put("/price-lists/{list_id}/prices/{variant_id}")
async def set_price(
    db: Db, seller: Selling, list_id: UUID, variant_id: UUID, given: AmountGiven
) -> forms.PriceListView:
    """Put a variant on a list."""
    async with db.transaction() as tx:
        return await prices.set_price(tx, seller, list_id, variant_id, given)


@router.delete("/price-lists/{list_id}/prices/{variant_id}")
async def remove_price(db: Db, seller: Selling, list_id: UUID, variant_id: UUID) -> forms.PriceListView:
    """Take a variant off a list."""
    async with db.transaction() as tx:
        return await prices.remove_price(tx, seller, list_id, variant_id)


@router.get("/coupons")
async def list_coupons(db: Db, seller: Selling, paging: Paging) -> Page[forms.CouponView]:
    """Your coupons, the newest first."""
    async with db.reading() as tx:
        after = paging.after(datetime, UUID)
        rows = await coupon_store.owned(tx, seller.subject, after, paging.limit + 1)
    return paging.page(rows, key=lambda row: (row.created_at, row.id), view=coupons.view)


@router.post("/coupons", status_code=201, response_model=forms.CouponView, responses=problems(409))
async def create_coupon(
    db: Db, clock: Now, seller: Selling, once: RequiredKey, new: forms.NewCoupon
) -> Response:
    """Make a coupon."""
    effect = partial(coupons.create, clock=clock, seller=seller, new=new)
    with conflict({"coupon_code": coupons.code_taken()}):
        return await once.answer(db, effect, headers=_created)


def _created(view: forms.CouponView) -> dict[str, str]:
    return {"Location": f"/v1/coupons/{view.id}", "ETag": etag_of(view.version)}


@router.get("/coupons/{coupon_id}")
async def read_coupon(db: Db, seller: Selling, coupon_id: UUID, response: Response) -> forms.CouponView:
    """One of your coupons."""
    async with db.reading() as tx:
        view = await coupons.read(tx, seller, coupon_id)
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.patch("/coupons/{coupon_id}", responses=problems(409))
async def change_coupon(
    db: Db,
    seller: Selling,
    match: IfMatch,
    coupon_id: UUID,
    changes: forms.CouponChanges,
    response: Response,
) -> forms.CouponView:
    """Change when and how often a coupon may be used."""
    async with db.transaction() as tx:
        view = await coupons.change(tx, seller, coupon_id, changes, match)
    response.headers["ETag"] = etag_of(view.version)
    return view
