"""Balances in the past, statements, the trial balance: all at a point of effective time, as known after some journal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from services.ledger import contract
from services.ledger.domain.accounts import Account, Totals
from services.ledger.domain.journals import EARLIEST
from services.ledger.store import accounts, chain
from services.ledger.store.accounts import Line, Posted
from services.ledger.usecases.problems import not_found
from suuupra.db import Transaction
from suuupra.errors import invalid
from suuupra.pagination import PageRequest

LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


async def known_up_to(tx: Transaction, asked: int | None) -> int:
    """The last journal that counts: the one asked for, or the last there is."""
    last = (await chain.read(tx)).sequence
    if asked is not None and asked > last:
        raise invalid("query.up_to", f"must be at most {last}, the last journal", "leave it out")
    return last if asked is None else asked


async def _account(tx: Transaction, code: str) -> tuple[Account, Totals]:
    found = await accounts.find(tx, code)
    if found is None:
        raise not_found("account", "path.code", code)
    return found


async def _before(tx: Transaction, account: Account, time: datetime | None, up_to: int) -> int:
    """The balance on the account's side of what counts before `time`."""
    (posted,) = await accounts.as_of(tx, before=_utc(time), up_to=up_to, code=account.code)
    return _signed(account, posted.debits, posted.credits)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


def _signed(account: Account, debits: int, credits_: int) -> int:
    return debits - credits_ if account.side == "debit" else credits_ - debits


async def balance_at(
    tx: Transaction, code: str, effective_at: datetime | None, up_to: int | None
) -> contract.BalanceAt:
    """An account's posted balance of what counts before `effective_at`; of everything when None."""
    account, _ = await _account(tx, code)
    last = await known_up_to(tx, up_to)
    return contract.BalanceAt(
        account=account.code,
        currency=account.currency,
        side=account.side,
        balance_minor=await _before(tx, account, effective_at, last),
        effective_at=effective_at,
        up_to=last,
    )


async def statement(
    tx: Transaction,
    paging: PageRequest,
    code: str,
    begin: datetime | None,
    end: datetime | None,
    up_to: int | None,
) -> contract.Statement:
    """An account's entries by effective time, each with the balance after it."""
    account, _ = await _account(tx, code)
    begin, end = (begin or EARLIEST).astimezone(UTC), (end or LATEST).astimezone(UTC)
    if begin >= end:
        raise invalid("query.end", "must be later than begin", "send a later end, or leave it out")
    last = await known_up_to(tx, up_to)
    after = paging.after(datetime, int, int)
    found = await accounts.lines(tx, code, begin, end, up_to=last, after=after, limit=paging.limit + 1)
    opening = await _opening(tx, account, begin, after, last)
    page = paging.page(found, key=lambda it: (it.effective_at, it.sequence, it.leg), view=lambda it: it)
    return contract.Statement(
        account=account.code,
        currency=account.currency,
        side=account.side,
        begin=begin,
        end=end,
        opening_minor=opening,
        closing_minor=await _before(tx, account, end, last),
        lines=_running(account, opening, page.items),
        next=page.next,
    )


async def _opening(
    tx: Transaction, account: Account, begin: datetime, after: tuple[datetime, int, int] | None, up_to: int
) -> int:
    if after is None:
        return await _before(tx, account, begin, up_to)
    time, sequence, leg = after
    debits, credits_ = await accounts.at_the_time_of(tx, account.code, time, sequence, leg, up_to=up_to)
    return await _before(tx, account, time, up_to) + _signed(account, debits, credits_)


def _running(account: Account, opening: int, lines: Sequence[Line]) -> list[contract.StatementLine]:
    shown, balance = [], opening
    for line in lines:
        balance += line.amount if line.side == account.side else -line.amount
        shown.append(
            contract.StatementLine(
                sequence=line.sequence,
                leg=line.leg,
                journal_id=line.journal_id,
                effective_at=line.effective_at,
                description=line.description,
                reference=line.reference,
                side=line.side,
                amount_minor=line.amount,
                balance_minor=balance,
            )
        )
    return shown


async def trial_balance(
    tx: Transaction, effective_at: datetime | None, up_to: int | None, currency: str | None
) -> contract.TrialBalance:
    """Every account's debits and credits of what counts before `effective_at`, by currency."""
    last = await known_up_to(tx, up_to)
    posted = await accounts.as_of(tx, before=_utc(effective_at), up_to=last, currency=currency)
    currencies = [_currency(name, list(rows)) for name, rows in groupby(posted, key=lambda it: it.currency)]
    return contract.TrialBalance(effective_at=effective_at, up_to=last, currencies=currencies)


def _currency(name: str, rows: Sequence[Posted]) -> contract.TrialCurrency:
    lines = [
        contract.TrialLine(
            account=row.account,
            debits_minor=row.debits,
            credits_minor=row.credits,
            debit_balance_minor=max(0, row.debits - row.credits),
            credit_balance_minor=max(0, row.credits - row.debits),
        )
        for row in rows
    ]
    debits = sum(line.debit_balance_minor for line in lines)
    credits_ = sum(line.credit_balance_minor for line in lines)
    return contract.TrialCurrency(
        currency=name,
        lines=lines,
        debit_total_minor=debits,
        credit_total_minor=credits_,
        balanced=debits == credits_,
    )
