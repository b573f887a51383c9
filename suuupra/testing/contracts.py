"""Tests that every service with events or tables writes in one line."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sqlalchemy import MetaData, text

from suuupra import schemas
from suuupra.db import Database
from suuupra.events import Event

ACCEPT: Final = "SUUUPRA_ACCEPT_SCHEMAS"


def check_contract(events: Iterable[type[Event]], folder: Path) -> None:
    """Fail when an event can no longer be read by consumers of the schema that is stored in `folder`.

    One file per type and version, written with SUUUPRA_ACCEPT_SCHEMAS=1. Nobody may remove one while its topic is
    kept; a compatible change is written too, so that the files always say what is published.
    """
    problems: list[str] = []
    for event in events:
        path = folder / f"{event.type}.v{event.version}.json"
        now = schemas.schema_of(event)
        if os.environ.get(ACCEPT) and not (path.exists() and schemas.breaking_changes(_read(path), now)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(now, indent=2, sort_keys=True) + "\n")
        problems += _compare(event, path)
    assert not problems, "\n".join(problems)


def _compare(event: type[Event], path: Path) -> list[str]:
    now = schemas.schema_of(event)
    if not path.exists():
        return [f"{path.name} is not stored: run this test once with {ACCEPT}=1 and commit the file"]
    stored = _read(path)
    broken = [
        f"{event.type} version {event.version}: {change}. Make a new class with version {event.version + 1}"
        for change in schemas.breaking_changes(stored, now)
    ]
    if not broken and stored != now:
        return [f"{path.name} is stale (the change is compatible): run this test once with {ACCEPT}=1"]
    return broken


def _read(path: Path) -> schemas.Schema:
    found: schemas.Schema = json.loads(path.read_text())
    return found


async def check_models(database: Database, metadata: MetaData) -> None:
    """Fail when a table model has a column that the migrated schema has not, or is stricter about NULL."""
    async with database.reading() as tx:
        rows = await tx.execute(
            text(
                "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns WHERE table_schema = 'public'"
            )
        )
        found = {(table, column): nullable for table, column, nullable in rows.all()}
    problems = [
        f"{table.name}.{column.name} is not in the schema"
        if (table.name, column.name) not in found
        else f"{table.name}.{column.name}: the schema {'allows' if found[table.name, column.name] else 'refuses'} NULL"
        for table in metadata.tables.values()
        for column in table.columns
        if found.get((table.name, column.name)) is not column.nullable
    ]
    assert not problems, "\n".join(problems)
