"""The chart of accounts: open, change, list."""

from dataclasses import replace
from typing import Any

from services.ledger import contract
from services.ledger.domain import accounts as domain
from services.ledger.store import accounts as store
from services.ledger.usecases import posting, views
from services.ledger.usecases.problems import not_found, told
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.etags import Precondition
from suuupra.ids import new_id
from suuupra.pagination import Page, PageRequest


async def open_account(tx: Transaction, clock: Clock, new: contract.NewAccount) -> contract.Account:
    """Open an account; its opening is a journal like any other."""
    with told():
        account = domain.account_of(
            new.code, new.name, contra=new.contra, minimum=new.minimum_minor, maximum=new.maximum_minor
        )
        begun = await posting.begin(tx, clock, [account.code])
        await posting.write(tx, begun, [domain.opening(new_id(), account, begun.now)])
    return views.account(account, begun.book.totals[account.code])


async def edit(
    tx: Transaction, clock: Clock, code: str, wish: contract.AccountEdit, match: Precondition
) -> contract.Account:
    """Change an account's name, bounds or state. Nothing is posted when nothing changes."""
    begun = await posting.begin(tx, clock, [code])
    present = begun.book.accounts.get(code)
    if present is None:
        raise not_found("account", "path.code", code)
    match.require(present.version)
    wanted = replace(present, **_changes(wish))
    if wanted == present:
        return views.account(present, begun.book.totals[code])
    with told():
        domain.check_bounds(wanted)
        await posting.write(tx, begun, [domain.change(new_id(), wanted, begun.now)])
    return views.account(begun.book.accounts[code], begun.book.totals[code])


def _changes(wish: contract.AccountEdit) -> dict[str, Any]:
    """What was sent. A bound may be sent as null, a name or state may not be taken away."""
    names = {"minimum_minor": "minimum", "maximum_minor": "maximum"}
    sent = {names.get(name, name): getattr(wish, name) for name in wish.model_fields_set}
    return {name: value for name, value in sent.items() if value is not None or name in names.values()}


async def read(tx: Transaction, code: str) -> contract.Account:
    """An account with its balance."""
    found = await store.find(tx, code)
    if found is None:
        raise not_found("account", "path.code", code)
    return views.account(*found)


async def listed(
    tx: Transaction, paging: PageRequest, *, kind: str | None, currency: str | None
) -> Page[contract.Account]:
    """Accounts by code."""
    (after,) = paging.after(str) or (None,)
    found = await store.listed(tx, kind=kind, currency=currency, after=after, limit=paging.limit + 1)
    return paging.page(found, key=lambda it: (it[0].code,), view=lambda it: views.account(*it))
