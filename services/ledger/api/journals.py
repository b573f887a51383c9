"""Journals: posting, holding, exchanging, reversing, reading."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.ledger import contract
from services.ledger.api.dependencies import Db, OrderReader, Reader, Writer
from services.ledger.usecases import holds, journals
from services.ledger.usecases.problems import AlreadyReversed, BoundBroken, HoldResolved
from suuupra.app import Now
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/ledger", tags=["journals"])
orders = APIRouter(prefix="/internal/v1/orders", tags=["journals"])


@router.post("/journals", status_code=201, response_model=contract.Journal, responses=problems(BoundBroken))
async def post_journal(
    db: Db, clock: Now, writer: Writer, once: RequiredKey, new: contract.NewJournal
) -> Response:
    """Post linked transfers, all or none; or hold them until they are posted or expire."""
    return await once.answer(db, partial(journals.post, clock=clock, new=new), headers=_location)


@router.post("/exchanges", status_code=201, response_model=contract.Journal, responses=problems(BoundBroken))
async def post_exchange(
    db: Db, clock: Now, writer: Writer, once: RequiredKey, new: contract.NewExchange
) -> Response:
    """Exchange money of one currency for another: two linked transfers over four accounts."""
    return await once.answer(db, partial(journals.exchange, clock=clock, new=new), headers=_location)


def _location(journal: contract.Journal) -> dict[str, str]:
    return {"Location": f"{router.prefix}/journals/{journal.id}"}


@router.get("/journals")
async def list_journals(
    db: Db,
    reader: Reader,
    paging: Paging,
    reference: Annotated[
        contract.Reference | None, Query(description="Only those about this, such as order:ID.")
    ] = None,
    kind: Annotated[contract.JournalKind | None, Query(description="Only those of this kind.")] = None,
) -> Page[contract.Journal]:
    """Journals, the latest first. Those of one account are in its statement."""
    async with db.reading() as tx:
        return await journals.listed(tx, paging, reference=reference, kind=kind)


@orders.get("/{order_id}/journals")
async def list_journals_of_order(
    db: Db, reader: OrderReader, paging: Paging, order_id: UUID
) -> Page[contract.Journal]:
    """What the books say of one order, the latest first; for support, inside the cluster."""
    async with db.reading() as tx:
        return await journals.listed(tx, paging, reference=f"order:{order_id}", kind=None)


@router.get("/journals/{journal_id}")
async def read_journal(db: Db, reader: Reader, journal_id: UUID) -> contract.Journal:
    """A journal as it is sealed; of a hold, with what became of it."""
    async with db.reading() as tx:
        return await journals.read(tx, journal_id)


@router.post(
    "/journals/{journal_id}/post",
    status_code=201,
    response_model=contract.Journal,
    responses=problems(HoldResolved),
)
async def post_hold(
    db: Db, clock: Now, writer: Writer, once: RequiredKey, journal_id: UUID, wish: contract.PostHold
) -> Response:
    """Post a hold, or a part of it; the rest is released."""
    effect = partial(holds.post, clock=clock, hold_id=journal_id, wish=wish)
    return await once.answer(db, effect, headers=_location)


@router.post(
    "/journals/{journal_id}/void",
    status_code=201,
    response_model=contract.Journal,
    responses=problems(HoldResolved),
)
async def void_hold(
    db: Db, clock: Now, writer: Writer, once: RequiredKey, journal_id: UUID, wish: contract.VoidHold
) -> Response:
    """Release a hold."""
    effect = partial(holds.void, clock=clock, hold_id=journal_id, wish=wish)
    return await once.answer(db, effect, headers=_location)


@router.post(
    "/journals/{journal_id}/reverse",
    status_code=201,
    response_model=contract.Journal,
    responses=problems(AlreadyReversed, BoundBroken),
)
async def reverse_journal(
    db: Db, clock: Now, writer: Writer, once: RequiredKey, journal_id: UUID, wish: contract.NewReversal
) -> Response:
    """Undo a journal by a new one, its mirror image."""
    effect = partial(journals.reverse, clock=clock, journal_id=journal_id, wish=wish)
    return await once.answer(db, effect, headers=_location)
