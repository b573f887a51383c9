"""Orders: their buyers', and for support anybody's."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response

from services.commerce import contract
from services.commerce.api.dependencies import (
    READ_ORDERS,
    Buyer,
    Db,
    OrderQuery,
    OrderTerms,
    Refunder,
    user_id_of,
)
from services.commerce.store import entitlements
from services.commerce.store import orders as store
from services.commerce.usecases import checkout, orders, reading, views
from suuupra.app import Now
from suuupra.auth import User
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1", tags=["orders"])


@router.post("/orders", status_code=201, response_model=contract.OrderView, responses=problems(404, 409))
async def place_order(
    db: Db, clock: Now, terms: OrderTerms, buyer: Buyer, once: RequiredKey, new: contract.NewOrder
) -> Response:
    """Order what is in a cart. The order waits for its payment until `expires_at`; one that is free is fulfilled."""
    effect = partial(checkout.place, clock=clock, terms=terms, user_id=buyer, new=new)
    return await once.answer(db, effect, headers=_created)


def _created(view: contract.OrderView) -> dict[str, str]:
    return {"Location": f"/v1/orders/{view.id}"}


@router.get("/orders")
async def list_orders(
    db: Db, principal: User, paging: Paging, wanted: Annotated[OrderQuery, Depends()]
) -> Page[contract.OrderSummary]:
    """Your orders, the newest first. With the scope orders:read also others': by number, payment or user, or all."""
    chosen = wanted.filter_for(principal)
    async with db.reading() as tx:
        rows = await store.newest(tx, chosen, paging.after(datetime, UUID), paging.limit + 1)
        lines = await store.lines(tx, [row.id for row in rows])
    return paging.page(
        rows,
        key=lambda row: (row.created_at, row.id),
        view=lambda row: views.order_summary(row, [line for line in lines if line.order_id == row.id]),
    )


@router.get("/orders/{order_id}")
async def read_order(db: Db, principal: User, order_id: UUID) -> contract.OrderView:
    """An order with its lines, payments, invoice, refunds and timeline."""
    whose = None if READ_ORDERS in principal.scopes else user_id_of(principal)
    async with db.reading() as tx:
        await reading.owned(tx, order_id, whose)
        return await reading.view(tx, order_id)


@router.post("/orders/{order_id}/cancel", responses=problems(409))
async def cancel_order(db: Db, clock: Now, buyer: Buyer, order_id: UUID) -> contract.OrderView:
    """Withdraw an order that is not paid yet. Twice is the same as once."""
    async with db.transaction() as tx:
        return await orders.cancel(tx, clock, buyer, order_id)


@router.post("/orders/{order_id}/refunds", status_code=201, response_model=contract.RefundView)
async def refund_order(
    db: Db,
    clock: Now,
    refunder: Refunder,
    once: RequiredKey,
    order_id: UUID,
    new: Annotated[contract.NewRefund | None, Body()] = None,
) -> Response:
    """Give money of a paid order back: part of it, or all that is left."""
    wanted = new or contract.NewRefund()
    effect = partial(orders.refund, clock=clock, by=refunder.subject, order_id=order_id, new=wanted)
    return await once.answer(db, effect)


@router.post(
    "/orders/{order_id}/refunds/{refund_id}/retry",
    status_code=201,
    response_model=contract.RefundView,
    responses=problems(404, 409),
)
async def retry_refund(
    db: Db, clock: Now, refunder: Refunder, once: RequiredKey, order_id: UUID, refund_id: UUID
) -> Response:
    """Ask once more for a refund that failed, as a new one."""
    effect = partial(
        orders.retry_refund, clock=clock, by=refunder.subject, order_id=order_id, refund_id=refund_id
    )
    return await once.answer(db, effect)


@router.get("/entitlements", tags=["entitlements"])
async def list_entitlements(
    db: Db,
    buyer: Buyer,
    course_id: Annotated[UUID | None, Query(description="Only the right to this course.")] = None,
) -> contract.Entitlements:
    """The courses that you may study, the latest first."""
    async with db.reading() as tx:
        rows = await entitlements.standing(tx, buyer, course_id)
    seen: dict[UUID, contract.Entitlement] = {}
    for row, course in rows:
        right = contract.Entitlement(
            course_id=row.course_id,
            slug=course.slug if course else None,
            title=course.title if course else None,
            order_id=row.order_id,
            granted_at=row.granted_at,
        )
        seen.setdefault(row.course_id, right)
    return contract.Entitlements(items=list(seen.values()))
