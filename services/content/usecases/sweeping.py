"""Free what nobody refers to any more: objects of cut-off uploads and deleted courses, texts of no draft or revision."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.content.store import media, texts
from suuupra.clock import Clock
from suuupra.db import Database
from suuupra.objects import ObjectStore

_ORPHAN_AGE: Final = timedelta(days=1)
"""An upload that has no row after this long will never get one; the longest upload takes minutes."""
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: objects deleted and their bytes, texts deleted."""

    objects: int = 0
    bytes: int = 0
    texts: int = 0


async def sweep(database: Database, objects: ObjectStore, clock: Clock) -> Swept:
    """Delete what is unreferenced. May run at any time and be cut off at any time."""
    count = size = 0
    before = clock.now() - _ORPHAN_AGE
    async for batch in _old_objects(objects, before):
        async with database.reading() as tx:
            known = await media.known_keys(tx, batch.keys())
        for key in batch.keys() - known:
            await objects.delete(key)
            count, size = count + 1, size + batch[key]
    async with database.transaction() as tx:
        return Swept(count, size, await texts.delete_unused(tx))


async def _old_objects(objects: ObjectStore, before: datetime) -> AsyncIterator[dict[str, int]]:
    """Keys and sizes of objects that are older than `before`, in batches."""
    batch: dict[str, int] = {}
    async for stored in objects.list():
        if stored.modified is not None and stored.modified < before:
            batch[stored.key] = stored.size
        if len(batch) == _BATCH:
            yield batch
            batch = {}
    yield batch
