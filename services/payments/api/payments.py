"""A payer's payments: read, attempted, withdrawn."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.payments import contract
from services.payments.api.dependencies import Db, Desk, TheDesk, oversees
from services.payments.domain.payment import Payment
from services.payments.store import payments as store
from services.payments.usecases import attempts, timeline, views
from services.payments.usecases.problems import AttemptInFlight
from suuupra.auth import Principal, User
from suuupra.db import Database, Transaction
from suuupra.errors import not_found
from suuupra.etags import etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/payments", tags=["payments"])


@router.get("")
async def list_payments(
    db: Db,
    caller: User,
    paging: Paging,
    order_id: Annotated[UUID | None, Query(description="Only the payment of this order.")] = None,
) -> Page[contract.PaymentView]:
    """Your payments, the newest first; everybody's for finance and support."""
    user = None if oversees(caller) else subject_id(caller)
    async with db.reading() as tx:
        after = paging.after(datetime, UUID)
        found = await store.newest(tx, user, order_id, after, paging.limit + 1)
    return paging.page(found, key=lambda it: (it.created_at, it.id), view=views.payment)


@router.get("/{payment_id}")
async def read_payment(db: Db, caller: User, payment_id: UUID, response: Response) -> contract.PaymentView:
    """A payment with its attempts and refunds."""
    payment = await visible(db, caller, payment_id)
    response.headers["ETag"] = etag_of(payment.version)
    return views.payment(payment)


@router.get("/{payment_id}/attempts/{number}")
async def read_attempt(db: Db, caller: User, payment_id: UUID, number: int) -> contract.AttemptView:
    """One attempt."""
    payment = await visible(db, caller, payment_id)
    if not 1 <= number <= len(payment.attempts):
        raise not_found("attempt", number, "path.number")
    return views.attempt(payment.attempt(number))


@router.post(
    "/{payment_id}/attempts",
    status_code=201,
    response_model=contract.StartedAttempt,
    responses=problems(400, AttemptInFlight, 404, 503),
)
async def begin_attempt(
    db: Db, desk: TheDesk, caller: User, payment_id: UUID, once: RequiredKey, new: contract.NewAttempt
) -> Response:
    """Begin an attempt and get what the payer scans or opens. While one like it is open, you get that one."""
    return await once.answer(db, partial(_begin, desk, caller, payment_id, new), headers=_where)


async def _begin(
    desk: Desk, caller: Principal, payment_id: UUID, new: contract.NewAttempt, tx: Transaction
) -> contract.StartedAttempt:
    return await attempts.begin(await desk.change(tx), caller, payment_id, new)


def _where(view: contract.StartedAttempt) -> dict[str, str]:
    return {"Location": f"{router.prefix}/{view.payment_id}/attempts/{view.attempt.number}"}


@router.post("/{payment_id}/cancel", responses=problems(409))
async def cancel_payment(db: Db, desk: TheDesk, caller: User, payment_id: UUID) -> contract.PaymentView:
    """Withdraw a payment. Done twice it is done once; while money may be moving it is refused."""
    async with db.transaction() as tx:
        return await attempts.cancel(await desk.change(tx), caller, payment_id)


@router.get("/{payment_id}/timeline")
async def read_timeline(db: Db, caller: User, payment_id: UUID) -> contract.Timeline:
    """What happened to a payment, in order; for finance and support with every message about it."""
    await visible(db, caller, payment_id)
    async with db.reading() as tx:
        return await timeline.of(tx, payment_id, whole=oversees(caller))


async def visible(db: Database, caller: Principal, payment_id: UUID) -> Payment:
    """A payment that the caller may see. A peer's is not there (404)."""
    async with db.reading() as tx:
        payment = await store.read(tx, payment_id)
    if payment is None or not (oversees(caller) or str(payment.user_id) == caller.subject):
        raise not_found("payment", payment_id)
    return payment


def subject_id(caller: Principal) -> UUID:
    """Whose payments are meant. A caller that is no person has none."""
    try:
        return UUID(caller.subject)
    except ValueError:
        return UUID(int=0)
