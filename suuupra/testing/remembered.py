"""Whether something is written down anywhere in a database."""

from sqlalchemy import text

from suuupra.db import Database


async def tables_with(database: Database, secret: str) -> list[str]:
    """The tables of which a row holds `secret`, as text or as bytes."""
    found: list[str] = []
    async with database.reading() as tx:
        names = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        for table in (await tx.scalars(names)).all():
            rows = "\n".join((await tx.scalars(text(f'SELECT t::text FROM "{table}" t'))).all())  # noqa: S608
            if secret in rows or secret.encode().hex() in rows:
                found.append(table)
    return found
