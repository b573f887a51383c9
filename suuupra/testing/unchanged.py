"""That nothing was changed by what was refused: every row of every table is as it was."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text

from suuupra.db import Database

_TABLES: Final = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")


async def rows_of(database: Database, *, without: Collection[str] = ()) -> dict[str, list[str]]:
    """Table → its rows as text, sorted."""
    async with database.reading() as tx:
        tables = [name for name in (await tx.execute(_TABLES)).scalars() if name not in without]
        return {
            name: sorted((await tx.execute(text(f'SELECT t::text FROM "{name}" t'))).scalars())  # noqa: S608
            for name in tables
        }


@asynccontextmanager
async def unchanged(database: Database, *, without: Collection[str] = ()) -> AsyncIterator[None]:
    """Fail when a row of any table but those `without` was added, changed or deleted meanwhile."""
    before = await rows_of(database, without=without)
    yield
    after = await rows_of(database, without=without)
    changed = {
        name: [row for row in after[name] if row not in rows] or f"{len(rows) - len(after[name])} rows fewer"
        for name, rows in before.items()
        if after[name] != rows
    }
    assert changed == {}
