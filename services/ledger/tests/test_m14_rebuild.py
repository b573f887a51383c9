"""M14: what is derived of the journals can be thrown away and made anew, byte for byte."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from services.ledger.tests.books import CASH, LEDGER, SALES, Books, body_of, transfer
from services.ledger.tests.events import payment, refund
from services.ledger.usecases import recording, verifying
from services.ledger.usecases.verifying import Outside
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration

ORDER = {"account": "code", "balance_day": "account, day", "hold": "journal_id"}


@pytest.fixture
def dump(postgres: PostgresServer, database_name: str) -> Callable[[], bytes]:
    """The derived tables, as the bytes that COPY writes."""

    def dumped() -> bytes:
        content = b""
        with psycopg.connect(postgres.admin_url(database_name)) as connection:
            for table, order in ORDER.items():
                with connection.cursor().copy(
                    f"COPY (SELECT * FROM {table} ORDER BY {order}) TO STDOUT"
                ) as copy:
                    content += b"".join(bytes(chunk) for chunk in copy)
        return content

    return dumped


async def a_life(books: Books, database: Database, clock: FakeClock) -> None:
    """Accounts, changed ones too, payments, refunds, holds of every fate, reversals."""
    await books.open(CASH, SALES)
    wish = {"name": "Till", "minimum_minor": -5000}
    await books.client.patch(f"{LEDGER}/accounts/{CASH}", json=wish, headers={"If-Match": "*"})
    paid = [payment(number * 100, number) for number in range(1, 40)]
    async with database.transaction() as tx:
        await recording.succeeded(tx, clock, paid)
    async with database.transaction() as tx:
        await recording.refunded(tx, clock, [refund(it, it.amount_minor, it.tax_minor) for it in paid[:9]])
    for fate in ("post", "void", None):
        clock.advance(timedelta(days=1))
        expires_at = (clock.now() + timedelta(hours=1)).isoformat()
        hold = await books.made("/journals", body_of(transfer(CASH, SALES, 9), expires_at=expires_at))
        if fate is not None:
            await books.made(f"/journals/{hold['id']}/{fate}", {})
    made = await books.move(CASH, SALES, 3, effective_at="2025-06-30T12:00:00Z")
    await books.made(
        f"/journals/{made['id']}/reverse", {"description": "x", "effective_at": "2025-07-01T00:00:00Z"}
    )


async def test_m14_balances_rebuilt_from_the_journals_are_byte_identical(
    books: Books,
    database: Database,
    clock: FakeClock,
    dump: Callable[[], bytes],
    postgres: PostgresServer,
    database_name: str,
) -> None:
    await a_life(books, database, clock)
    before = dump()
    assert before.count(b"\n") > 10
    head = await books.get("/head")
    postgres.execute(database_name, "DELETE FROM account; DELETE FROM balance_day; DELETE FROM hold")
    assert dump() == b""
    assert await verifying.rebuild(database) == head["size"]
    assert dump() == before
    assert await books.get("/head") == head
    assert (await verifying.verify(database, Outside(None, None))).findings == []
    await books.move(CASH, SALES, 5)


async def test_m14_a_rebuild_puts_wrong_balances_right(
    books: Books,
    database: Database,
    clock: FakeClock,
    dump: Callable[[], bytes],
    postgres: PostgresServer,
    database_name: str,
) -> None:
    await a_life(books, database, clock)
    before = dump()
    postgres.execute(
        database_name, "UPDATE account SET debits = debits + 1000; UPDATE balance_day SET credits = 0"
    )
    await verifying.rebuild(database)
    assert dump() == before
