"""Refunds, by those who may give money back."""

from functools import partial
from uuid import UUID

from fastapi import APIRouter, Response

from services.payments import contract
from services.payments.api.dependencies import Db, Desk, Refunder, TheDesk
from services.payments.domain.events import RefundReason
from services.payments.domain.refunds import Asking, Unrefundable, ask_anew
from services.payments.store import payments as store
from services.payments.usecases import views
from services.payments.usecases.problems import NotRefundable, not_failed, unrefundable
from services.payments.usecases.refunding import found, take_refund
from suuupra.auth import Principal
from suuupra.db import Transaction
from suuupra.errors import not_found
from suuupra.idempotency import RequiredKey
from suuupra.ids import new_id
from suuupra.openapi import problems

router = APIRouter(prefix="/v1/payments/{payment_id}/refunds", tags=["refunds"])


@router.post(
    "", status_code=201, response_model=contract.RefundView, responses=problems(400, NotRefundable, 404)
)
async def refund_payment(
    db: Db, desk: TheDesk, caller: Refunder, payment_id: UUID, once: RequiredKey, new: contract.NewRefund
) -> Response:
    """Give money back, all of it or a part; never more than came in."""
    return await once.answer(db, partial(_refund, desk, caller, payment_id, new), headers=_where)


async def _refund(
    desk: Desk, caller: Principal, payment_id: UUID, new: contract.NewRefund, tx: Transaction
) -> contract.RefundView:
    change = await desk.change(tx)
    payment = await change.locked(payment_id)
    amount = new.amount or payment.amount - payment.refunding
    asking = Asking(new_id(), amount, RefundReason(new.reason), caller.subject)
    decided = await take_refund(change, payment, asking)
    if isinstance(decided, Unrefundable):
        raise unrefundable(Unrefundable.TOO_MUCH if not new.amount else decided, payment)
    return views.refund(decided, found(decided, asking))


@router.post(
    "/{refund_id}/retry",
    status_code=201,
    response_model=contract.RefundView,
    responses=problems(400, NotRefundable, 404),
)
async def retry_refund(
    db: Db, desk: TheDesk, caller: Refunder, payment_id: UUID, refund_id: UUID, once: RequiredKey
) -> Response:
    """Ask once more for a refund that failed, as a new one: of the payment, or of money that came twice."""
    return await once.answer(db, partial(_retry, desk, caller, payment_id, refund_id), headers=_where)


async def _retry(
    desk: Desk, caller: Principal, payment_id: UUID, refund_id: UUID, tx: Transaction
) -> contract.RefundView:
    change = await desk.change(tx)
    payment = await change.locked(payment_id)
    refund = payment.refund(refund_id)
    if refund is None:
        raise not_found("refund", refund_id)
    asking = ask_anew(refund, new_id(), caller.subject)
    if asking is None:
        raise not_failed(refund_id)
    decided = await take_refund(change, payment, asking)
    if isinstance(decided, Unrefundable):
        raise unrefundable(decided, payment)
    return views.refund(decided, found(decided, asking))


def _where(view: contract.RefundView) -> dict[str, str]:
    return {"Location": f"/v1/payments/{view.payment_id}/refunds/{view.id}"}


@router.get("/{refund_id}")
async def read_refund(db: Db, caller: Refunder, payment_id: UUID, refund_id: UUID) -> contract.RefundView:
    """A refund, and how far it is."""
    async with db.reading() as tx:
        payment = await store.read(tx, payment_id)
    refund = payment.refund(refund_id) if payment else None
    if payment is None or refund is None:
        raise not_found("refund", refund_id)
    return views.refund(payment, refund)
