"""One transaction per use case; a server that is away is an answer, not a hang."""

import asyncio
import gc
import time
import traceback
import warnings
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlmodel import Field, MetaData, SQLModel, select

from suuupra.db import (
    ConstraintBroken,
    Database,
    DatabaseUnavailable,
    StatementEnded,
    StatementFailed,
    Transaction,
    TransactionEndsOutside,
    ValueRefused,
    conflict,
)
from suuupra.errors import Conflict
from suuupra.testing.containers import free_port
from suuupra.testing.contracts import check_models
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration


class Effect(SQLModel, table=True):
    metadata: ClassVar[MetaData] = MetaData()
    __tablename__ = "effect"
    position: int | None = Field(default=None, primary_key=True, sa_column_kwargs={"nullable": False})
    id: str
    aggregate_id: str
    number: int


async def count(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM effect")))


async def insert(tx: Transaction, number: int) -> None:
    values = {"number": number}
    await tx.execute(
        text("INSERT INTO effect (id, aggregate_id, number) VALUES (gen_random_uuid(), 'a', :number)"), values
    )


async def test_leaving_the_block_commits(database: Database) -> None:
    async with database.transaction() as tx:
        await insert(tx, 1)
    assert await count(database) == 1


async def test_what_is_for_after_the_commit_comes_once_also_when_a_savepoint_was_released(
    database: Database,
) -> None:
    called: list[str] = []
    async with database.transaction() as tx:
        tx.when_committed(lambda: called.append("committed"))
        async with tx.begin_nested():
            await insert(tx, 1)
            with pytest.raises(TransactionEndsOutside, match="savepoint"):
                tx.when_committed(lambda: called.append("of the savepoint"))
        assert called == []
    assert called == ["committed"]


async def test_an_exception_rolls_everything_back(database: Database) -> None:
    async def use_case() -> None:
        async with database.transaction() as tx:
            await insert(tx, 1)
            raise LookupError("no such course")

    with pytest.raises(LookupError, match="no such course"):
        await use_case()
    assert await count(database) == 0


async def test_a_store_cannot_end_the_transaction_it_was_given(database: Database) -> None:
    async with database.transaction() as tx:
        with pytest.raises(TransactionEndsOutside, match=r"leaving database\.transaction"):
            await tx.commit()
        with pytest.raises(TransactionEndsOutside, match="raise, and"):
            await tx.rollback()
        with pytest.raises(TransactionEndsOutside, match="begin_nested"):
            tx.begin()


async def test_reading_sees_models_and_refuses_to_save_them(database: Database) -> None:
    async with database.transaction() as tx:
        await insert(tx, 7)
    async with database.reading() as tx:
        (found,) = (await tx.exec(select(Effect.number).where(Effect.aggregate_id == "a"))).all()
        assert found == 7
        tx.add(Effect(id="x", aggregate_id="b", number=1))
        with pytest.raises(TransactionEndsOutside, match=r"use database\.transaction"):
            await tx.flush()
        tx.expunge_all()


async def test_a_pod_may_write_rows_and_not_change_the_schema(database: Database) -> None:
    async def drop() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("DROP TABLE effect"))

    with pytest.raises(Exception, match="must be owner of table effect"):
        await drop()


async def test_no_server_is_a_503_with_retry_after_within_a_second() -> None:
    nobody = Database(f"postgresql://a:secret@127.0.0.1:{free_port()}/a", application="test")
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as refused:
        await nobody.check()
    assert time.monotonic() - started < 1.2
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    assert "secret" not in str(refused.value)


async def test_a_pool_that_stays_empty_is_a_503_within_a_second(database_url: str) -> None:
    narrow = Database(database_url, application="test", pool_size=1)
    async with narrow.transaction():
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await narrow.check()
        assert time.monotonic() - started < 1.5
    await narrow.check()
    await narrow.close()


async def test_a_killed_connection_is_replaced_before_it_is_used(
    database: Database, postgres: PostgresServer, database_name: str
) -> None:
    assert await count(database) == 0
    postgres.execute(
        "postgres",
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database_name}'",
    )
    assert await count(database) == 0


async def test_a_transaction_that_takes_too_long_is_ended_and_its_connection_given_up(
    database: Database,
) -> None:
    async def slow() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("SET LOCAL statement_timeout = '100ms'"))
            await tx.execute(text("SELECT pg_sleep(5)"))

    with pytest.raises(StatementEnded):
        await slow()
    assert await count(database) == 0


async def test_a_deadlock_is_told_apart_from_a_server_that_is_away(database: Database) -> None:
    async with database.transaction() as tx:
        await insert(tx, 1)
        await insert(tx, 2)
    both_locked = asyncio.Barrier(2)
    lock = text("UPDATE effect SET number = number WHERE number = :number")

    async def use_case(first: int, second: int) -> None:
        async with database.transaction() as tx:
            await tx.execute(lock, {"number": first})
            await both_locked.wait()
            await tx.execute(lock, {"number": second})

    outcomes = await asyncio.gather(use_case(1, 2), use_case(2, 1), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [StatementEnded]


CANARY = "Asha Rao"


async def break_a_rule(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TEMP TABLE person (name text UNIQUE, age integer CHECK (age > 0))"))
        await tx.execute(text("INSERT INTO person VALUES (:name, 1)"), {"name": CANARY})
        await tx.execute(text(statement), {"name": CANARY})


@pytest.mark.parametrize(
    ("statement", "kind", "said"),
    [
        ("INSERT INTO person VALUES (:name, 1)", ConstraintBroken, "person_name_key"),
        ("INSERT INTO person VALUES (:name || 'x', 0)", ConstraintBroken, "person_age_check"),
        (
            "INSERT INTO effect (id, aggregate_id) VALUES (gen_random_uuid(), :name)",
            StatementFailed,
            "number",
        ),
        ("SELECT CAST(:name AS integer)", ValueRefused, "InvalidTextRepresentation"),
        ("SELECT missing FROM person WHERE name = :name", StatementFailed, "UndefinedColumn"),
        ("SELECT repeat(:name, 2000000000)", StatementFailed, "ProgramLimitExceeded"),
    ],
)
async def test_the_tables_own_errors_reach_the_use_case_without_learners_data(
    database: Database, statement: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as error:
        await break_a_rule(database, statement)
    told = "".join(traceback.format_exception(error.value))
    assert CANARY not in told
    assert "break_a_rule" in told, "the traceback still says where it happened"


async def test_a_rule_that_callers_can_break_has_a_problem_of_its_own(database: Database) -> None:
    class NameTaken(Conflict):
        slug = "name-taken"

    again = "INSERT INTO person VALUES (:name, 1)"
    with pytest.raises(NameTaken), conflict({"person_name_key": NameTaken("Choose another name.")}):
        await break_a_rule(database, again)
    with pytest.raises(ConstraintBroken), conflict({"another_rule": NameTaken("Choose another name.")}):
        await break_a_rule(database, again)


@pytest.mark.parametrize("value", ["a\x00b", "\ud800"])
async def test_text_that_postgresql_cannot_hold_is_the_callers_mistake(
    database: Database, value: str
) -> None:
    with pytest.raises(ValueRefused):
        async with database.transaction() as tx:
            await tx.execute(text("SELECT CAST(:value AS text)"), {"value": value})


async def test_models_are_compared_with_the_migrated_schema(database: Database) -> None:
    await check_models(database, Effect.metadata)

    class Wrong(SQLModel, table=True):
        metadata: ClassVar[MetaData] = MetaData()
        __tablename__ = "effect"
        id: str = Field(primary_key=True)
        number: int | None
        colour: str

    with pytest.raises(
        AssertionError, match=r"effect\.number: the schema refuses NULL\neffect\.colour is not in"
    ):
        await check_models(database, Wrong.metadata)


async def test_work_that_outlives_the_closing_leaves_no_connection_behind(
    postgres: PostgresServer, database_name: str
) -> None:
    closing = Database(postgres.url(database_name), application="test")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(closing: Database) -> None:
        async with closing.reading() as tx:
            await tx.execute(text("SELECT 1"))
            begun.set()
            await go_on.wait()
            await tx.execute(text("SELECT 2"))

    working = asyncio.create_task(work(closing))
    await begun.wait()
    await closing.close()
    go_on.set()
    await working
    del working, closing
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(one.message) for one in heard] == []
