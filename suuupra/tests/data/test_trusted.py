"""A pool asks a connection whether it is there before it hands it out, but for one that answered a moment ago."""

from typing import Any

import pytest
from psycopg import AsyncCursor
from sqlalchemy import text

from suuupra import connecting
from suuupra.db import Database
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What psycopg was asked to execute."""
    heard: list[str] = []
    execute = AsyncCursor.execute

    async def listening(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        heard.append(str(query))
        return await execute(self, query, *args, **kwargs)

    monkeypatch.setattr(AsyncCursor, "execute", listening)
    return heard


async def number_of_the_backend(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text("SELECT pg_backend_pid()")) or 0)


async def test_a_connection_that_answered_just_now_is_not_asked_again(
    database_url: str, said: list[str]
) -> None:
    database = Database(database_url, application="test", pool_size=1)
    try:
        first = await number_of_the_backend(database)
        said.clear()
        assert await number_of_the_backend(database) == first
        assert said == ["SELECT pg_backend_pid()"]
    finally:
        await database.close()


async def test_a_connection_that_was_silent_for_a_while_is_asked_first(
    database_url: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url, application="test", pool_size=1)
    try:
        await number_of_the_backend(database)
        monkeypatch.setattr(connecting, "TRUSTED_SECONDS", 0.0)
        said.clear()
        await number_of_the_backend(database)
        assert len(said) == 2
    finally:
        await database.close()


async def test_a_connection_that_the_server_ended_a_moment_ago_is_replaced(
    postgres: PostgresServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "TRUSTED_SECONDS", 3600.0)
    database = Database(database_url, application="test", pool_size=1)
    try:
        ended = await number_of_the_backend(database)
        postgres.execute("postgres", f"SELECT pg_terminate_backend({ended}, 5000)")  # waits until it is gone
        assert await number_of_the_backend(database) != ended
    finally:
        await database.close()
