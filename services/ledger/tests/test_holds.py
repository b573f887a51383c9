"""Holds over the API: pending → post | void | expire, exactly once, whoever races."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.ledger.schedules import schedules
from services.ledger.settings import Settings
from services.ledger.tests.books import CASH, SALES, Books, body_of, transfer
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.schedule import Scheduler

pytestmark = pytest.mark.integration


async def held(books: Books, clock: FakeClock, amount: int = 1000, hours: int = 24) -> Any:
    expires_at = (clock.now() + timedelta(hours=hours)).isoformat()
    return await books.made(
        "/journals", body_of(transfer(CASH, SALES, amount), expires_at=expires_at, reference="order:1")
    )


async def test_a_hold_counts_as_pending_until_it_is_posted(books: Books, clock: FakeClock) -> None:
    await books.open(CASH, SALES)
    hold = await held(books, clock)
    assert (hold["kind"], hold["hold"]) == ("hold", "pending")
    balance = await books.balance(CASH)
    assert (balance["balance_minor"], balance["pending_debits_minor"]) == (0, 1000)
    posted = await books.made(f"/journals/{hold['id']}/post", {})
    assert (posted["kind"], posted["related_id"], posted["reference"]) == ("post", hold["id"], "order:1")
    balance = await books.balance(CASH)
    assert (balance["balance_minor"], balance["pending_debits_minor"]) == (1000, 0)
    assert (await books.get(f"/journals/{hold['id']}"))["hold"] == "posted"


async def test_a_part_is_posted_and_the_rest_released(books: Books, clock: FakeClock) -> None:
    await books.open(CASH, SALES)
    hold = await held(books, clock)
    assert (await books.refused(f"/journals/{hold['id']}/post", {"amount_minor": 1001}))[2] == [
        "body.amount_minor"
    ]
    await books.made(f"/journals/{hold['id']}/post", {"amount_minor": 400})
    balance = await books.balance(CASH)
    assert (balance["balance_minor"], balance["pending_debits_minor"]) == (400, 0)


async def test_a_void_hold_leaves_nothing(books: Books, clock: FakeClock) -> None:
    await books.open(CASH, SALES)
    hold = await held(books, clock)
    await books.made(f"/journals/{hold['id']}/void", {"description": "the order was withdrawn"})
    balance = await books.balance(CASH)
    assert (balance["balance_minor"], balance["pending_debits_minor"]) == (0, 0)
    assert await books.refused(f"/journals/{hold['id']}/post", {}) == (409, "hold-resolved", ["body"])


async def test_a_hold_expires_by_the_clock_and_not_before(
    books: Books, clock: FakeClock, database: Database, ledger_settings: Settings
) -> None:
    await books.open(CASH, SALES)
    hold = await held(books, clock, hours=1)
    scheduler = Scheduler(database, schedules(ledger_settings, clock), clock)
    clock.advance(3599)
    assert await scheduler.handle_due() == 0
    clock.advance(1)
    assert await books.refused(f"/journals/{hold['id']}/post", {}) == (409, "hold-resolved", ["body"])
    assert await scheduler.handle_due() == 1
    assert (await books.get(f"/journals/{hold['id']}"))["hold"] == "expired"
    assert (await books.balance(CASH))["pending_debits_minor"] == 0
    (expired,) = (await books.get("/journals", kind="expire"))["items"]
    assert expired["effective_at"] == hold["expires_at"]
    assert await scheduler.handle_due() == 0


async def test_m5_of_many_who_resolve_a_hold_at_once_one_wins(books: Books, clock: FakeClock) -> None:
    await books.open(CASH, SALES)
    hold = await held(books, clock)

    async def resolve(what: str) -> int:
        return (await books.insisted(f"/journals/{hold['id']}/{what}", {})).status_code

    statuses = await asyncio.gather(*(resolve(what) for what in ("post", "void") * 20))
    assert Counter(statuses) == {201: 1, 409: 39}
    balance = await books.balance(CASH)
    assert balance["balance_minor"] in {0, 1000}
    assert balance["pending_debits_minor"] == 0


async def test_m5_of_many_who_reverse_a_journal_at_once_one_wins(books: Books) -> None:
    await books.open(CASH, SALES)
    made = await books.move(CASH, SALES, 5)

    async def reverse() -> int:
        return (await books.insisted(f"/journals/{made['id']}/reverse", {"description": "x"})).status_code

    statuses = await asyncio.gather(*(reverse() for _ in range(20)))
    assert Counter(statuses) == {201: 1, 409: 19}
    assert (await books.balance(CASH))["balance_minor"] == 0


async def test_the_same_hold_again_is_the_same_hold(books: Books, clock: FakeClock) -> None:
    await books.open(CASH, SALES)
    body = body_of(
        transfer(CASH, SALES, 5),
        id="0198c5a4-7d3e-7c1a-9c55-0242ac120002",
        expires_at=(clock.now() + timedelta(hours=1)).isoformat(),
    )
    first = await books.made("/journals", body)
    await books.made(f"/journals/{first['id']}/void", {})
    again = await books.made("/journals", body)
    assert (again["sequence"], again["hold"]) == (first["sequence"], "voided")
