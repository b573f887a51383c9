"""Accounts, statements, holds and the books, for whoever operates or reconciles the bank."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from services.bank_simulator import contract
from services.bank_simulator.api.dependencies import Db, Means, Member, Number
from services.bank_simulator.domain import camt
from services.bank_simulator.store import accounts as store
from services.bank_simulator.usecases import accounts
from services.bank_simulator.usecases.problems import AccountTaken, refused
from suuupra import db
from suuupra.openapi import problems
from suuupra.pagination import PageRequest, paging_of

router = APIRouter(prefix="/internal/v1", tags=["accounts"])
Begin = Annotated[
    AwareDatetime | None, Query(description="From this time on; default: the account's opening.")
]
End = Annotated[AwareDatetime | None, Query(description="Up to this time, not included; default: now.")]

Paging = Annotated[PageRequest, Depends(paging_of(default=500, maximum=1000))]
"""Of a statement: a merchant's has every sale there ever was."""


@router.post("/accounts", status_code=201, responses=problems(409))
async def open_account(
    db_: Db, bank: Means, membership: Member, new: contract.NewAccount
) -> contract.AccountView:
    """Open an account. The same again is the same account."""
    taken = refused(AccountTaken, "body.vpa", "must not be another account's address", "choose another")
    with db.conflict({"account_vpa_key": taken}):
        async with db_.transaction() as tx:
            view = await accounts.open_account(tx, bank, new)
    membership.changed()
    return view


@router.get("/accounts")
async def list_accounts(db_: Db) -> contract.Accounts:
    """Up to a thousand accounts, by number."""
    async with db_.reading() as tx:
        return contract.Accounts(items=[accounts.view(one) for one in await store.everyone(tx)])


@router.get("/accounts/{number}")
async def read_account(db_: Db, number: Number) -> contract.AccountView:
    """An account and its balance."""
    async with db_.reading() as tx:
        return accounts.view(await accounts.get(tx, number))


@router.get("/accounts/{number}/statement")
async def read_statement(
    db_: Db, bank: Means, number: Number, paging: Paging, begin: Begin = None, end: End = None
) -> contract.Statement:
    """Bookings between two times, a page at a time, each with its opening and closing balance."""
    async with db_.transaction() as tx:
        return await accounts.statement(tx, bank, number, _utc(begin), _utc(end), paging)


@router.get(
    "/accounts/{number}/statement.xml",
    response_class=Response,
    responses={200: {"content": {"application/xml": {}}}},
)
async def read_camt(
    request: Request,
    db_: Db,
    bank: Means,
    number: Number,
    paging: Paging,
    begin: Begin = None,
    end: End = None,
) -> Response:
    """The same page as ISO 20022 has it (camt.053.001.08); the next one is named by the header Link (RFC 8288)."""
    async with db_.transaction() as tx:
        statement = await accounts.statement(tx, bank, number, _utc(begin), _utc(end), paging)
    following = request.url.include_query_params(cursor=statement.next, end=statement.end.isoformat())
    headers = {"Link": f'<{following}>; rel="next"'} if statement.next else {}
    body = camt.render(statement, bank.clock.now())
    return Response(body, media_type="application/xml", headers=headers)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


@router.get("/books")
async def read_books(db_: Db, bank: Means) -> contract.Books:
    """The sums of all entries, and whether the balances are theirs (M1)."""
    async with db_.transaction() as tx:
        return await accounts.books(tx, bank)


@router.post("/accounts/{number}/holds", status_code=201, responses=problems(409))
async def hold(db_: Db, bank: Means, number: Number, new: contract.NewHold) -> contract.HoldView:
    """Set money aside. The same reference again is the same hold."""
    async with db_.transaction() as tx:
        return await accounts.hold(tx, bank, number, new)


@router.post("/holds/{hold_id}/capture", responses=problems(409))
async def capture(db_: Db, bank: Means, hold_id: UUID) -> contract.HoldView:
    """Take what is held."""
    async with db_.transaction() as tx:
        return await accounts.capture(tx, bank, hold_id)


@router.post("/holds/{hold_id}/release", responses=problems(409))
async def release(db_: Db, hold_id: UUID) -> contract.HoldView:
    """Give it back."""
    async with db_.transaction() as tx:
        return await accounts.release(tx, hold_id)
