"""How the books of all banks are read here: statements to their end, and of a bank that left what it would have told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.bank_simulator.tests.counter import Counter, counter_of
from services.upi_core.contract import new_txn_id
from suuupra.clock import FakeClock
from suuupra.testing.postgres import PostgresServer

from . import banks
from .banks import Bank, FormerBank, every_bank, money, settled_money
from .kube import Kube

NOWHERE = Path("/nowhere")


@dataclass(frozen=True)
class Stand(Kube):
    """A cluster with a rail of asha and banyan, on whose server these databases are."""

    databases: list[str] = field(default_factory=list)

    def get(self, *words: str, namespace: str = "") -> Any:
        return {"spec": {"participants": [{"code": "banyan"}, {"code": "asha"}], "settlement": "asha"}}

    def psql(self, database: str, sql: str) -> list[str]:
        return self.databases


@dataclass(frozen=True)
class Owing(Bank):
    """A bank whose customers have so much, and that owes the others so much."""

    customers: int
    owes: int

    def books(self) -> dict[str, Any]:
        amounts = {"customers": self.customers, "settlement": self.owes, "fees": 0, "difference": 0}
        return {part: {"minor": minor} for part, minor in amounts.items()} | {"unfolded": []}


def test_a_bank_whose_database_is_there_and_that_takes_no_part_is_one_that_left() -> None:
    found = every_bank(Stand(NOWHERE, NOWHERE, ["bank_asha", "bank_banyan", "bank_bench"]))
    assert [(bank.code, type(bank)) for bank in found] == [
        ("asha", Bank),
        ("banyan", Bank),
        ("bench", FormerBank),
    ]


def test_m1_money_is_whole_only_with_the_bank_that_left_owing_it() -> None:
    kube = Stand(NOWHERE, NOWHERE)
    asha, bench = Owing(kube, "asha", 122_600, -122_600), Owing(kube, "bench", 377_400, 122_600)
    assert money([asha, bench]) == 500_000
    assert money([asha]) is None
    with pytest.raises(AssertionError, match=r"on its way between banks: in minor units, {'asha': -122600}"):
        settled_money([asha], within=0)


# Of a real bank on a real database


@dataclass(frozen=True)
class Server(Kube):
    """A cluster's PostgreSQL, in which one database is the bank's."""

    server: PostgresServer
    name: str

    def psql(self, database: str, sql: str) -> list[str]:
        assert database == "bank_asha"
        return [json.dumps(row[0]) for row in self.server.execute(self.name, sql)]


@dataclass(frozen=True)
class Present(Bank):
    """A bank inside the test, asked as one in a pod is."""

    ask: Callable[[str], Any]

    def read(self, *paths: str) -> list[Any]:
        return [self.ask(path.removeprefix("/internal/v1/")) for path in paths]


async def trade(counter: Counter) -> None:
    """Money out, in, and out and back again."""
    for number in range(3):
        await counter.debit(minor=1_000 + number)
        await counter.credit(account="SUUUPRA001", minor=5_000 + number)
    taken = new_txn_id("TST")
    await counter.debit(minor=700, txn_id=taken)
    await counter.reverse(taken, minor=700)


@pytest.mark.integration
@pytest.mark.service("bank-simulator")
async def test_m1_what_is_read_of_a_bank_that_left_is_what_it_told_while_it_was_there(
    postgres: PostgresServer,
    database_name: str,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(banks, "_PAGE", 3)
    counter = counter_of(postgres.url(database_name), clock, {"feePermille": 10})
    loop = asyncio.get_running_loop()
    kube = Server(NOWHERE, NOWHERE, postgres, database_name)
    present = Present(
        kube, "asha", lambda path: asyncio.run_coroutine_threadsafe(counter.get(path), loop).result(30)
    )
    async with counter.bank.router.lifespan_context(counter.bank):
        assert await counter.bank.state.membership.once()
        await trade(counter)
        told, statements = await asyncio.to_thread(lambda: (present.books(), present.statements()))
        await counter.bank.state.membership._client.aclose()
        await counter.http.aclose()
    left = FormerBank(kube, "asha")
    assert parts(left.books()) == parts(told)
    assert told["settlement"]["minor"] == 3_003 - 15_003, "what was taken back is not owed"
    assert [lines(one) for one in left.statements()] == [lines(one) for one in statements]
    assert max(len(one["entries"]) for one in statements) > 3, "a statement of several pages"


def parts(books: dict[str, Any]) -> dict[str, Any]:
    """What is looked at of books."""
    amounts = {one: books[one]["minor"] for one in ("customers", "settlement", "fees", "difference")}
    return amounts | {"unfolded": books["unfolded"]}


def lines(statement: dict[str, Any]) -> tuple[Any, ...]:
    """What is looked at of a statement."""
    entries = [
        (one["txn_id"], one["rrn"], one["amount"]["minor"], one["balance"]["minor"])
        for one in statement["entries"]
    ]
    return statement["account"], statement["opening"]["minor"], statement["closing"]["minor"], entries
