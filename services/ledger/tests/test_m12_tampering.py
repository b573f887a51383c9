"""M12: whoever changes a sealed row, with all the rights there are, is found out, and the row is named."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from services.ledger.clients.keys import CheckpointKeys
from services.ledger.domain import checkpoints, sealing
from services.ledger.domain.journals import Draft, Leg, Transfer
from services.ledger.domain.merkle import Frontier
from services.ledger.tests.books import CASH, LEDGER, SALES, Books, body_of, transfer
from services.ledger.tests.events import payment
from services.ledger.usecases import recording, verifying
from services.ledger.usecases.verifying import Outside, Report
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.objects import ObjectStore
from suuupra.secrets_store import SecretsStore
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration

Execute = Callable[[str], list[Any]]
OFFLINE = Outside(None, None)


@pytest.fixture
def superuser(postgres: PostgresServer, database_name: str) -> Execute:
    """SQL with all rights, and past every trigger: what somebody can do who owns the machine."""

    def execute(statement: str) -> list[Any]:
        unbound = "" if statement.startswith("SELECT") else "SET session_replication_role = replica; "
        return postgres.execute(database_name, unbound + statement)

    return execute


@pytest_asyncio.fixture
async def sealed(books: Books, clock: FakeClock, database: Database) -> Books:
    """A ledger with journals of every kind, 300 of them, so that the tree has a kept node."""
    await books.open(CASH, SALES, "assets:cash:USD")
    made = await books.move(CASH, SALES, 500, reference="order:1", details={"note": "x"})
    await books.made(f"/journals/{made['id']}/reverse", {"description": "a mistake"})
    for what in ("post", "void"):
        expires_at = (clock.now() + timedelta(hours=1)).isoformat()
        hold = await books.made("/journals", body_of(transfer(CASH, SALES, 9), expires_at=expires_at))
        await books.made(f"/journals/{hold['id']}/{what}", {})
    async with database.transaction() as tx:
        await recording.succeeded(tx, clock, [payment(number, 0) for number in range(1, 290)])
    return books


@pytest.fixture
def outside(bucket: ObjectStore, secrets: SecretsStore) -> Outside:
    """The checkpoints of the test's ledger."""
    return Outside(bucket, CheckpointKeys(secrets, "ledger"))


def named(report: Report) -> set[tuple[str, str]]:
    return {(finding.table, finding.key) for finding in report.findings}


async def test_m12_untouched_books_are_sound(sealed: Books, database: Database, outside: Outside) -> None:
    await sealed.client.post(f"{LEDGER}/checkpoints")
    report = await verifying.verify(database, outside)
    assert report.findings == []
    assert report.journals == (await sealed.get("/head"))["size"]
    assert report.checkpoints == 1


JOURNAL_CHANGES = {
    "id": "gen_random_uuid()",
    "kind": "CASE kind WHEN 'transfer' THEN 'exchange' ELSE 'transfer' END",
    "effective_at": "effective_at + interval '1 microsecond'",
    "posted_at": "posted_at + interval '1 microsecond'",
    "description": "overlay(description placing 'X' from 3)",
    "reference": "coalesce(reference, '') || '1'",
    "related": "gen_random_uuid()",
    "details": 'details || \'{"a": "b"}\'',
    "leaf": "set_byte(leaf, 5, get_byte(leaf, 5) # 1)",
    "hash": "set_byte(hash, 31, get_byte(hash, 31) # 128)",
}
ENTRY_CHANGES = {
    "leg": "leg + 7",
    "transfer": "transfer + 1",
    "pending": "NOT pending",
    "account": "'assets:cash:USD'",
    "currency": "'USD'",
    "side": "CASE side WHEN 'debit' THEN 'credit' ELSE 'debit' END",
    "amount": "amount + 1",
    "effective_at": "effective_at + interval '1 day'",
    "seal": "seal + 1",
}


@pytest.mark.parametrize("sequence", [1, 4, 6, 200])
async def test_m12_any_field_of_a_journal_changed_names_that_journal(
    sealed: Books, database: Database, superuser: Execute, sequence: int
) -> None:
    for column, change in JOURNAL_CHANGES.items():
        (before,) = superuser(f"SELECT {column}::text FROM journal WHERE sequence = {sequence}")
        superuser(f"UPDATE journal SET {column} = {change} WHERE sequence = {sequence}")
        report = await verifying.verify(database, OFFLINE)
        assert named(report) == {("journal", str(sequence))}, (column, report.findings)
        value = "NULL" if before[0] is None else "'" + before[0].replace("'", "''") + "'"
        kind = {"details": "jsonb", "leaf": "bytea", "hash": "bytea", "id": "uuid", "related": "uuid"}.get(
            column
        )
        cast = f"::{kind}" if kind else "::timestamptz" if column.endswith("_at") else ""
        superuser(f"UPDATE journal SET {column} = {value}{cast} WHERE sequence = {sequence}")
    assert (await verifying.verify(database, OFFLINE)).findings == []


@pytest.mark.parametrize(("sequence", "leg"), [(4, 1), (5, 2), (6, 1), (200, 2)])
async def test_m12_any_field_of_an_entry_changed_names_that_entry(
    sealed: Books, database: Database, superuser: Execute, sequence: int, leg: int
) -> None:
    kept = f"CREATE TABLE kept AS SELECT * FROM entry WHERE sequence = {sequence}"
    superuser(f"DROP TABLE IF EXISTS kept; {kept}")
    for column, change in ENTRY_CHANGES.items():
        superuser(f"UPDATE entry SET {column} = {change} WHERE sequence = {sequence} AND leg = {leg}")
        report = await verifying.verify(database, OFFLINE)
        key = f"{sequence}/{leg + 7 if column == 'leg' else leg}"
        assert named(report) == {("entry", key)}, (column, report.findings)
        superuser(f"DELETE FROM entry WHERE sequence = {sequence}; INSERT INTO entry SELECT * FROM kept")
    assert (await verifying.verify(database, OFFLINE)).findings == []


async def test_m12_any_byte_of_a_row_flipped_at_random_names_the_row(
    sealed: Books, database: Database, superuser: Execute
) -> None:
    """Bytes of the columns that are bytes, and characters of those that are text, at random places."""
    chance = random.Random(12)
    size = (await sealed.get("/head"))["size"]
    for _ in range(20):
        sequence, column = chance.randint(1, size), chance.choice(["leaf", "hash", "description"])
        if column == "description":
            place = chance.randint(1, 6)
            flip = (
                f"overlay(description placing chr(ascii(substr(description, {place}, 1)) # 1) from {place})"
            )
        else:
            place, bit = chance.randint(0, 31), 1 << chance.randint(0, 7)
            flip = f"set_byte({column}, {place}, get_byte({column}, {place}) # {bit})"
        superuser(f"UPDATE journal SET {column} = {flip} WHERE sequence = {sequence}")
        report = await verifying.verify(database, OFFLINE)
        assert named(report) == {("journal", str(sequence))}, (column, report.findings)
        superuser(f"UPDATE journal SET {column} = {flip} WHERE sequence = {sequence}")
    assert (await verifying.verify(database, OFFLINE)).findings == []


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE tree_node SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1)", ("tree_node", "8/0")),
        ("DELETE FROM tree_node", ("tree_node", "8/0")),
        ("INSERT INTO tree_node VALUES (8, 9, ''::bytea)", ("tree_node", "8/9")),
        ("DELETE FROM journal WHERE sequence = 100", ("journal", "100")),
        ("DELETE FROM entry WHERE sequence = 100 AND leg = 2", ("journal", "100")),
        ("INSERT INTO entry SELECT sequence, 3, transfer, pending, account, currency, side, amount, effective_at, seal"
         " FROM entry WHERE sequence = 100 AND leg = 1", ("entry", "100/3")),
        ("INSERT INTO entry SELECT 100000, leg, transfer, pending, account, currency, side, amount, effective_at, seal"
         " FROM entry WHERE sequence = 100 AND leg = 1", ("entry", "100000/1")),
        ("UPDATE journal SET sequence = 100000 WHERE sequence = 100", ("journal", "100000")),
        ("UPDATE head SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1)", ("head", "1")),
        ("UPDATE head SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1)", ("head", "1")),
        (f"UPDATE account SET debits = debits + 1 WHERE code = '{CASH}'", ("account", CASH)),
        (f"UPDATE account SET side = 'credit' WHERE code = '{CASH}'", ("account", CASH)),
        (f"DELETE FROM account WHERE code = '{CASH}'", ("account", CASH)),
        ("UPDATE balance_day SET credits = credits + 1 WHERE account = 'revenue:courses:INR'"
         " AND day = '2026-01-01'", ("balance_day", "revenue:courses:INR/2026-01-01")),
    ],
)  # fmt: skip
async def test_m12_rows_taken_out_put_in_or_derived_wrongly_are_named(
    sealed: Books, database: Database, superuser: Execute, statement: str, row: tuple[str, str]
) -> None:
    superuser(statement)
    assert row in named(await verifying.verify(database, OFFLINE))


async def test_m12_a_hold_that_is_said_to_be_pending_again_is_named(
    sealed: Books, database: Database, superuser: Execute
) -> None:
    superuser("UPDATE hold SET state = 'pending', resolved_by = NULL")
    assert {table for table, _ in named(await verifying.verify(database, OFFLINE))} == {"hold"}


def forge_tail(superuser: Execute, size: int) -> None:
    """Cut everything behind `size`, and make head, tree and folds fit: only what lies outside can tell."""
    rows = superuser(f"SELECT leaf, hash FROM journal WHERE sequence <= {size} ORDER BY sequence")
    tree = Frontier()
    for leaf, _ in rows:
        tree.append(bytes(leaf))
    superuser(
        f"DELETE FROM journal WHERE sequence > {size}; DELETE FROM entry WHERE sequence > {size};"
        f"DELETE FROM tree_node WHERE (index + 1) << level > {size}; DELETE FROM checkpoint WHERE size > {size};"
        f"UPDATE head SET sequence = {size}, hash = '\\x{bytes(rows[-1][1]).hex()}',"
        f" frontier = '\\x{tree.packed().hex()}'"
    )


async def test_m12_a_cut_tail_is_found_through_an_external_checkpoint(
    sealed: Books, database: Database, superuser: Execute, outside: Outside
) -> None:
    signed = (await sealed.client.post(f"{LEDGER}/checkpoints")).json()
    forge_tail(superuser, 150)
    await verifying.rebuild(database)
    assert (await verifying.verify(database, OFFLINE)).findings == [], "from inside nothing can be seen"
    assert ("journal", f"151 to {signed['size']}") in named(await verifying.verify(database, outside))
    copy = Outside(None, outside.keys, copies=[signed["signed"]])
    assert ("journal", f"151 to {signed['size']}") in named(await verifying.verify(database, copy))


async def test_m12_a_tail_that_was_forged_anew_is_found_through_an_external_checkpoint(
    sealed: Books, database: Database, superuser: Execute, outside: Outside, clock: FakeClock
) -> None:
    """Another history of the same length, sealed with our own code: inside it is flawless."""
    signed = (await sealed.client.post(f"{LEDGER}/checkpoints")).json()
    forge_tail(superuser, 150)
    await verifying.rebuild(database)
    async with database.transaction() as tx:
        events = [payment(7, 0) for _ in range(signed["size"] - 150)]
        await recording.succeeded(tx, clock, events)
    assert (await verifying.verify(database, OFFLINE)).findings == []
    again = await sealed.client.post(f"{LEDGER}/checkpoints")
    assert (again.status_code, again.json()["errors"][0]["rule"].endswith("are others")) == (409, True)
    assert named(await verifying.verify(database, outside)) == {("checkpoint", str(signed["size"]))}


async def test_m12_a_checkpoint_that_is_not_ours_or_not_what_the_row_says_is_named(
    sealed: Books, database: Database, superuser: Execute, outside: Outside, bucket: ObjectStore
) -> None:
    signed = (await sealed.client.post(f"{LEDGER}/checkpoints")).json()
    superuser("UPDATE checkpoint SET signed = signed || 'A'")
    assert named(await verifying.verify(database, outside)) == {("checkpoint", str(signed["size"]))}
    await bucket.put("checkpoints/9.jws", b"no checkpoint", content_type="text/plain")
    assert ("object", "checkpoints/9.jws") in named(await verifying.verify(database, outside))


async def test_m12_a_checkpoint_that_is_no_longer_in_the_object_store_is_named(
    sealed: Books, database: Database, outside: Outside, bucket: ObjectStore
) -> None:
    signed = (await sealed.client.post(f"{LEDGER}/checkpoints")).json()
    await bucket.delete(checkpoints.object_key(signed["size"]))
    assert named(await verifying.verify(database, outside)) == {("checkpoint", str(signed["size"]))}


async def test_m12_parallel_appends_never_fork_the_chain(books: Books, database: Database) -> None:
    await books.open(CASH, SALES)
    answers = await asyncio.gather(
        *(books.insisted("/journals", body_of(transfer(CASH, SALES, number))) for number in range(1, 61))
    )
    assert {answer.status_code for answer in answers} == {201}
    report = await verifying.verify(database, OFFLINE)
    assert report.findings == []
    assert report.journals == 62
    async with database.reading() as tx:
        links = (await tx.execute(text("SELECT sequence, leaf, hash FROM journal ORDER BY sequence"))).all()
    before = sealing.GENESIS
    for number, (sequence, leaf, hash_) in enumerate(links, 1):
        assert sequence == number
        assert bytes(hash_) == sealing.link(before, bytes(leaf))
        before = bytes(hash_)


async def test_m12_an_unbalanced_journal_that_was_sealed_by_force_is_named(
    sealed: Books, database: Database, superuser: Execute
) -> None:
    """Hashes of a forged journal may be right; the rules of the books are checked all the same."""
    head = (await sealed.get("/head"))["size"]
    (row,) = superuser(f"SELECT hash, posted_at FROM journal WHERE sequence = {head}")
    legs = (Leg(CASH, "debit", 5), Leg(SALES, "credit", 4))
    draft = Draft(UUID(int=9), "transfer", row[1], "forged", (Transfer("INR", legs),))
    journal, entries = sealing.seal(head + 1, row[1], draft, bytes(row[0]))
    values = ", ".join(
        f"({head + 1}, {number}, 1, false, '{leg.account}', 'INR', '{leg.side}', {leg.amount}, '{row[1]}',"
        f" {sealing.seal_of(head + 1, sealing.moment(row[1]), entries[number - 1])})"
        for number, leg in enumerate(legs, 1)
    )
    superuser(
        f"INSERT INTO journal VALUES ({head + 1}, '{draft.id}', 'transfer', '{row[1]}', '{row[1]}', 'forged', NULL,"
        f" NULL, '{{}}', '\\x{journal.leaf.hex()}', '\\x{journal.hash.hex()}'); INSERT INTO entry VALUES {values};"
        f"UPDATE head SET sequence = {head + 1}, hash = '\\x{journal.hash.hex()}'"
    )
    report = await verifying.verify(database, OFFLINE)
    assert any(it.key == str(head + 1) and "debits equal to credits" in it.what for it in report.findings)
