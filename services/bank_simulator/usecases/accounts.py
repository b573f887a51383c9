"""Accounts: opened, held money, statements, and the books as a whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.bank_simulator import contract
from services.bank_simulator.domain import postings
from services.bank_simulator.domain.postings import Movement
from services.bank_simulator.store import accounts, legs
from services.bank_simulator.store.accounts import Account, Booking
from services.bank_simulator.store.legs import Hold
from services.bank_simulator.usecases.bank import CURRENCY, RAIL, Bank
from services.bank_simulator.usecases.problems import (
    AccountTaken,
    NotActive,
    NotCovered,
    ReferenceReused,
    not_found,
    refused,
)
from suuupra import schedule
from suuupra.db import Transaction
from suuupra.errors import invalid
from suuupra.ids import new_id
from suuupra.money import Money
from suuupra.pagination import PageRequest

EXPIRES: Final = "hold"
OWN: Final = "BANK"
"""The rail of bookings that no rail asked for."""


def _money(minor: int) -> Money:
    return Money(minor, CURRENCY)


def view(account: Account) -> contract.AccountView:
    return contract.AccountView(
        number=account.number,
        name=account.name,
        kind=account.kind,
        vpa=account.vpa,
        balance=_money(account.balance_minor),
        held=_money(account.held_minor),
        available=_money(account.balance_minor - account.held_minor),
        opened_at=account.opened_at,
    )


async def open_account(tx: Transaction, bank: Bank, new: contract.NewAccount) -> contract.AccountView:
    """The account, with its opening balance; opened again as it was, it is the same."""
    now = bank.clock.now()
    if new.number in postings.INTERNAL:
        raise invalid("body.number", "must not be one of the bank's own", "choose another number")
    pin_hash = await bank.hash_pin(new.pin) if new.pin else None
    fresh = await accounts.add(
        tx,
        number=new.number,
        name=new.name,
        kind=new.kind,
        vpa=new.vpa,
        pin_hash=pin_hash,
        demo=new.demo,
        now=now,
    )
    if fresh and new.opening_minor:
        booking = _booking(new.number, "OPENING", None, "Opening balance", now)
        await accounts.book(tx, booking, postings.opening(new.number, new.opening_minor))
    found = await get(tx, new.number)
    if not fresh and (found.name, found.kind, found.vpa) != (new.name, new.kind, new.vpa):
        raise refused(
            AccountTaken, "body.number", "must not be the number of another account", "choose another"
        )
    return view(found)


def _booking(key: str, leg: str, counterparty: str | None, note: str, now: datetime) -> Booking:
    return Booking(new_id(), OWN, key, leg, None, None, counterparty, note, now)


async def get(tx: Transaction, number: str) -> Account:
    found = await accounts.find(tx, number)
    if found is None:
        raise not_found("account", number)
    return found


async def statement(
    tx: Transaction,
    bank: Bank,
    number: str,
    begin: datetime | None,
    end: datetime | None,
    paging: PageRequest,
) -> contract.Statement:
    """A page of an account's bookings between two times; from the first, and up to now, when they are left out."""
    account = await get(tx, number)
    since = begin or account.opened_at
    until = end or bank.clock.now() + timedelta(microseconds=1)
    if until < since:
        raise invalid("query.end", "must not be before query.begin", "send a later end")
    last, opening, pages = paging.after(int, int, int) or (0, None, 0)
    if opening is None:
        opening = await accounts.sum_before(tx, number, since)
    rows = await accounts.entries(tx, number, since, until, after=last, limit=paging.limit + 1)
    entries = _with_balances(rows, opening)
    page = paging.page(entries, key=lambda one: (one.id, one.balance.minor, pages + 1), view=lambda one: one)
    return contract.Statement(
        account=number,
        name=account.name,
        bank=bank.code,
        begin=since,
        end=until,
        opening=_money(opening),
        closing=page.items[-1].balance if page.items else _money(opening),
        entries=page.items,
        page=pages + 1,
        next=page.next,
    )


def _with_balances(rows: Sequence[Any], opening: int) -> list[contract.StatementEntry]:
    running, entries = opening, list[contract.StatementEntry]()
    for row in rows:
        running += row.amount_minor
        entries.append(
            contract.StatementEntry(
                id=row.id,
                at=row.at,
                amount=_money(row.amount_minor),
                balance=_money(running),
                kind=row.leg,
                txn_id=row.txn_id if row.rail == RAIL else None,
                rrn=row.rrn,
                ref_id=row.ref_id,
                counterparty=row.counterparty,
                note=row.note,
            )
        )
    return entries


async def books(tx: Transaction, bank: Bank) -> contract.Books:
    """The whole bank, from every entry it has (M1)."""
    sums = await accounts.sums(tx)
    return contract.Books(
        bank=bank.code,
        customers=_money(sums.customers),
        settlement=_money(sums.settlement),
        fees=_money(sums.fees),
        capital=_money(sums.capital),
        held=_money(sums.held),
        difference=_money(sums.difference),
        unfolded=sums.unfolded,
        entries=sums.entries,
    )


# Holds


def hold_view(hold: Hold) -> contract.HoldView:
    return contract.HoldView.model_validate(
        {
            "id": hold.id,
            "account": hold.account,
            "reference": hold.reference,
            "amount": _money(hold.amount_minor),
            "state": hold.state,
            "expires_at": hold.expires_at,
        }
    )


async def hold(tx: Transaction, bank: Bank, number: str, new: contract.NewHold) -> contract.HoldView:
    """Set money aside. The same reference with the same amount is the same hold; with another it is refused (M4)."""
    account = await accounts.lock(tx, number)
    if account is None:
        raise not_found("account", number)
    before = await legs.hold_of(tx, number, new.reference)
    if before is not None:
        if before.amount_minor != new.amount.minor:
            rule = f"must be free, or come with the same amount again, {before.amount_minor}"
            raise refused(ReferenceReused, "body.reference", rule, "choose another")
        return hold_view(before)
    if account.balance_minor - account.held_minor < new.amount.minor:
        left = account.balance_minor - account.held_minor
        rule = f"must be at most what is not held already, {left} minor units"
        raise refused(NotCovered, "body.amount", rule, "send less")
    now = bank.clock.now()
    until = now + timedelta(seconds=new.seconds)
    made = Hold(new_id(), number, new.reference, new.amount.minor, "active", until)
    await legs.add_hold(tx, made, now)
    await accounts.hold(tx, number, made.amount_minor)
    await schedule.put(tx, EXPIRES, made.id, until)
    return hold_view(made)


async def capture(tx: Transaction, bank: Bank, hold_id: UUID) -> contract.HoldView:
    """Take what was held, for the rail. Twice is the same as once (M5)."""
    held = await _ending(tx, hold_id, "captured")
    if held.state == "captured":
        return hold_view(held)
    await accounts.hold(tx, held.account, -held.amount_minor)
    booking = _booking(str(held.id), "CAPTURE", None, held.reference, bank.clock.now())
    movements: tuple[Movement, ...] = postings.debit(held.account, held.amount_minor)
    await accounts.book(tx, booking, movements)
    return await _ended(tx, held, "captured")


async def release(tx: Transaction, hold_id: UUID) -> contract.HoldView:
    """Give it back to its owner."""
    held = await _ending(tx, hold_id, "released")
    if held.state == "released":
        return hold_view(held)
    await accounts.hold(tx, held.account, -held.amount_minor)
    return await _ended(tx, held, "released")


async def expire(tx: Transaction, hold_id: UUID) -> None:
    """Its time is over."""
    held = await legs.lock_hold(tx, hold_id)
    if held is not None and held.state == "active":
        await accounts.hold(tx, held.account, -held.amount_minor)
        await legs.end_hold(tx, hold_id, "expired")


async def _ending(tx: Transaction, hold_id: UUID, wanted: str) -> Hold:
    """The hold, locked: active, or ended as it is wanted to."""
    held = await legs.lock_hold(tx, hold_id)
    if held is None:
        raise not_found("hold", hold_id)
    if held.state not in ("active", wanted):
        raise refused(NotActive, "path.hold_id", f"must be active; it is {held.state}", "make another hold")
    return held


async def _ended(tx: Transaction, held: Hold, state: str) -> contract.HoldView:
    await legs.end_hold(tx, held.id, state)
    await schedule.cancel(tx, EXPIRES, held.id)
    found = await legs.lock_hold(tx, held.id)
    return hold_view(found or held)
