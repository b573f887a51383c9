"""Who is let in to what is locked."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from services.commerce.contract import EntitlementGranted, EntitlementRevoked
from services.content import contract
from services.content.domain import seals
from services.content.domain.authors import Author
from services.content.domain.publishing import Document
from services.content.store import entitlements
from services.content.store import media as files
from services.content.store.entitlements import Entitlement
from services.content.store.tables import MediaRow
from services.content.usecases.problems import NotEntitled
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import not_found
from suuupra.events import Meta


async def grant(clock: Clock, tx: Transaction, events: Sequence[tuple[EntitlementGranted, Meta]]) -> None:
    """Take in rights that were given, in whatever order the events come."""
    heard = clock.now()
    rights = (
        Entitlement(it.user_id, it.course_id, True, meta.sequence, it.granted_at, heard)
        for it, meta in events
    )
    await entitlements.keep(tx, rights)


async def revoke(clock: Clock, tx: Transaction, events: Sequence[tuple[EntitlementRevoked, Meta]]) -> None:
    """Take in rights that were taken back."""
    heard = clock.now()
    rights = (
        Entitlement(it.user_id, it.course_id, False, meta.sequence, it.revoked_at, heard)
        for it, meta in events
    )
    await entitlements.keep(tx, rights)


async def access(tx: Transaction, user_id: UUID, courses: Collection[UUID]) -> contract.Rights:
    """How the locked lessons of some courses stand for a user."""
    rows = await entitlements.of_user(tx, user_id, courses)
    return contract.Rights(
        items=[
            contract.Right(
                course_id=row.course_id,
                unlocked=row.granted,
                unlocked_at=row.unlocked_at,
                locked_at=row.locked_at,
            )
            for row in rows
        ]
    )


async def is_entitled(tx: Transaction, reader: Author | None, course_id: UUID) -> bool:
    """Whether the caller reads all of the course."""
    return reader is not None and await entitlements.key_for(tx, reader, course_id) is not None


async def admit(tx: Transaction, reader: Author | None, course_id: UUID) -> None:
    """Raise NotEntitled unless the caller reads all of the course."""
    if not await is_entitled(tx, reader, course_id):
        raise NotEntitled(course_id)


async def unlock(
    tx: Transaction, reader: Author | None, course_id: UUID, page: Document, now: datetime
) -> Document:
    """A locked page for the caller, whose files the browser can load. Raises NotEntitled."""
    key = await entitlements.key_for(tx, reader, course_id) if reader is not None else None
    if key is None:
        raise NotEntitled(course_id)
    end = seals.until(now)
    return Document(seals.with_seals(page.json, key, course_id, end), f"{page.etag}-{end}", course_id)


async def file(
    tx: Transaction, media_id: UUID, reader: Author | None, seal: str | None, now: datetime
) -> MediaRow:
    """A file that the caller may have. Raises NotEntitled for one that only locked lessons show, else NotFound."""
    row = await files.readable(tx, media_id, reader)
    if row is not None:
        return row
    locked = await files.locked(tx, media_id)
    if locked is None:
        raise not_found("file", media_id)
    sealed = seal is not None and seals.opens(
        seal, await entitlements.key(tx), locked.course_id, media_id, now
    )
    if not sealed:
        await admit(tx, reader, locked.course_id)
    return locked
