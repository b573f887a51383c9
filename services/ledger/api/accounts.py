"""The chart of accounts, balances and statements."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.ledger import contract
from services.ledger.api.dependencies import Begin, CodePath, Db, EffectiveAt, End, Reader, UpTo, Writer
from services.ledger.usecases import accounts, reports
from services.ledger.usecases.problems import AccountInUse, BoundBroken, CodeTaken
from suuupra.app import Now
from suuupra.etags import IfMatch, etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/ledger", tags=["accounts"])


@router.get("/accounts")
async def list_accounts(
    db: Db,
    reader: Reader,
    paging: Paging,
    kind: Annotated[contract.AccountKind | None, Query(description="Only accounts of this kind.")] = None,
    currency: Annotated[
        contract.Currency | None, Query(description="Only accounts in this currency.")
    ] = None,
) -> Page[contract.Account]:
    """The chart of accounts, by code."""
    async with db.reading() as tx:
        return await accounts.listed(tx, paging, kind=kind, currency=currency)


@router.post("/accounts", status_code=201, response_model=contract.Account, responses=problems(CodeTaken))
async def open_account(
    db: Db, clock: Now, writer: Writer, once: RequiredKey, new: contract.NewAccount
) -> Response:
    """Open an account."""
    return await once.answer(db, partial(accounts.open_account, clock=clock, new=new), headers=_location)


def _location(account: contract.Account) -> dict[str, str]:
    return {"Location": f"{router.prefix}/accounts/{account.code}", "ETag": etag_of(account.version)}


@router.get("/accounts/{code}")
async def read_account(db: Db, reader: Reader, code: CodePath, response: Response) -> contract.Account:
    """An account with its balance as of now."""
    async with db.reading() as tx:
        found = await accounts.read(tx, code)
    response.headers["ETag"] = etag_of(found.version)
    return found


@router.patch("/accounts/{code}", responses=problems(AccountInUse, BoundBroken))
async def edit_account(
    db: Db,
    clock: Now,
    writer: Writer,
    match: IfMatch,
    code: CodePath,
    wish: contract.AccountEdit,
    response: Response,
) -> contract.Account:
    """Change an account's name, bounds or state."""
    async with db.transaction() as tx:
        changed = await accounts.edit(tx, clock, code, wish, match)
    response.headers["ETag"] = etag_of(changed.version)
    return changed


@router.get("/accounts/{code}/balance")
async def read_balance(
    db: Db, reader: Reader, code: CodePath, effective_at: EffectiveAt = None, up_to: UpTo = None
) -> contract.BalanceAt:
    """An account's posted balance, as of any time, as the books stood after any journal."""
    async with db.reading() as tx:
        return await reports.balance_at(tx, code, effective_at, up_to)


@router.get("/accounts/{code}/statement")
async def read_statement(
    db: Db,
    reader: Reader,
    code: CodePath,
    paging: Paging,
    begin: Begin = None,
    end: End = None,
    up_to: UpTo = None,
) -> contract.Statement:
    """An account's posted entries with running balances."""
    async with db.reading() as tx:
        return await reports.statement(tx, paging, code, begin, end, up_to)
