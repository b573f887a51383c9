"""Products: everybody reads those for sale, sellers write their own."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.commerce import contract
from services.commerce.api.dependencies import Db, Selling, seller_of
from services.commerce.store import catalogue
from services.commerce.usecases import forms, products
from suuupra.app import Now
from suuupra.auth import MaybeUser
from suuupra.errors import Unauthenticated
from suuupra.etags import IfMatch, etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/products", tags=["products"])


def _tagged(response: Response, view: contract.ProductView) -> contract.ProductView:
    response.headers["ETag"] = etag_of(view.version)
    return view


def _created(view: contract.ProductView) -> dict[str, str]:
    return {"Location": f"{router.prefix}/{view.id}", "ETag": etag_of(view.version)}


@router.get("", responses=problems(401))
async def list_products(
    db: Db,
    clock: Now,
    principal: MaybeUser,
    paging: Paging,
    course_id: Annotated[UUID | None, Query(description="Only those that open this course.")] = None,
    mine: Annotated[bool, Query(description="Your own, also those not for sale.")] = False,
) -> Page[contract.ProductView]:
    """What is for sale, the newest first."""
    if mine and principal is None:
        raise Unauthenticated("Sign in to see your own products.")
    owner = principal.subject if mine and principal is not None else None
    async with db.reading() as tx:
        after = paging.after(datetime, UUID)
        rows = await catalogue.products(tx, after, paging.limit + 1, course_id=course_id, owner=owner)
        shown = await products.view(tx, rows, clock.now(), all_variants=mine)
    by_id = {view.id: view for view in shown}
    return paging.page(rows, key=lambda row: (row.created_at, row.id), view=lambda row: by_id[row.id])


@router.get("/{product_id}")
async def read_product(
    db: Db, clock: Now, principal: MaybeUser, product_id: UUID, response: Response
) -> contract.ProductView:
    """A product that is for sale, or one of your own."""
    async with db.reading() as tx:
        seller = seller_of(principal) if principal is not None else None
        return _tagged(response, await products.read(tx, product_id, clock.now(), seller))


@router.post("", status_code=201, response_model=contract.ProductView)
async def create_product(
    db: Db, clock: Now, seller: Selling, once: RequiredKey, new: forms.NewProduct
) -> Response:
    """Offer a product with its variants and prices (tax included)."""
    effect = partial(products.create, clock=clock, seller=seller, new=new)
    return await once.answer(db, effect, headers=_created)


@router.patch("/{product_id}")
async def change_product(
    db: Db,
    clock: Now,
    seller: Selling,
    match: IfMatch,
    product_id: UUID,
    changes: forms.ProductChanges,
    response: Response,
) -> contract.ProductView:
    """Change what is said of a product, or take it off sale."""
    async with db.transaction() as tx:
        return _tagged(response, await products.change(tx, clock, seller, product_id, changes, match))


@router.post("/{product_id}/variants", status_code=201, response_model=contract.ProductView)
async def add_variant(
    db: Db, clock: Now, seller: Selling, once: RequiredKey, product_id: UUID, new: forms.NewVariant
) -> Response:
    """Offer another way to buy a product."""
    effect = partial(products.add_variant, clock=clock, seller=seller, product_id=product_id, new=new)
    return await once.answer(db, effect, headers=_created)


@router.patch("/{product_id}/variants/{variant_id}", responses=problems(409))
async def change_variant(
    db: Db,
    clock: Now,
    seller: Selling,
    match: IfMatch,
    product_id: UUID,
    variant_id: UUID,
    changes: forms.VariantChanges,
    response: Response,
) -> contract.ProductView:
    """Change a variant: its title, usual prices, seats."""
    async with db.transaction() as tx:
        view = await products.change_variant(tx, clock, seller, product_id, variant_id, changes, match)
    return _tagged(response, view)
