"""M13: the service's own role can add to the books, and neither change nor remove anything in them."""

import psycopg
import pytest
from psycopg import errors

from services.ledger.tests.books import CASH, SALES, Books, head_of
from suuupra.db import Database
from suuupra.testing.postgres import OWNER, PostgresServer

pytestmark = pytest.mark.integration

SEALED = ("journal", "entry", "tree_node", "checkpoint")
COLUMNS = {
    "journal": "description = 'x'",
    "entry": "amount = 1",
    "tree_node": "hash = ''",
    "checkpoint": "signed = ''",
}


@pytest.mark.parametrize("table", SEALED)
async def test_m13_update_delete_and_truncate_are_denied_to_the_services_own_role(
    books: Books, database_url: str, database: Database, table: str
) -> None:
    await books.open(CASH, SALES)
    await books.move(CASH, SALES, 5)
    before = await head_of(database)
    statements = (f"UPDATE {table} SET {COLUMNS[table]}", f"DELETE FROM {table}", f"TRUNCATE {table}")
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in statements:
            with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
                connection.execute(statement)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        connection.execute(f"SELECT count(*) FROM {table}")
    assert await head_of(database) == before


@pytest.mark.parametrize("table", SEALED)
async def test_m13_even_the_tables_owner_is_stopped(
    books: Books, postgres: PostgresServer, database_name: str, table: str
) -> None:
    for statement in (f"UPDATE {table} SET {COLUMNS[table]}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(errors.InsufficientPrivilege, match="never changes"):
            postgres.execute(database_name, f"SET ROLE {OWNER}; {statement}")


async def test_m13_an_entry_that_does_not_balance_is_refused_by_the_database_itself(
    books: Books, database_url: str
) -> None:
    row = "(1, 1, 1, false, 'a:b:INR', 'INR', 'debit', 5, now(), 0)"
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(errors.CheckViolation, match="debits equal to credits"):
            connection.execute(f"INSERT INTO entry VALUES {row}")
        others = "(1, 2, 1, false, 'a:b:USD', 'USD', 'credit', 5, now(), 0)"
        with pytest.raises(errors.CheckViolation, match="in one currency"):
            connection.execute(f"INSERT INTO entry VALUES {row}, {others}")


async def test_m13_a_balance_out_of_bounds_is_refused_by_the_database_itself(
    books: Books, database_url: str
) -> None:
    await books.open(CASH, minimum_minor=0, maximum_minor=9)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for change in ("credits = 1", "debits = 10", "pending_credits = 1", "pending_debits = 10"):
            with pytest.raises(errors.CheckViolation):
                connection.execute(f"UPDATE account SET {change} WHERE code = '{CASH}'")
