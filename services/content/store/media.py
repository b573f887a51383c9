"""Rows of media files. The bytes are in the object store, under the row's `object_key`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import false, tuple_
from sqlmodel import col, exists, or_, select

from services.content.domain.authors import Author
from services.content.store.drafts import owned_by
from services.content.store.tables import CourseRow, LessonRow, MediaRow
from suuupra.db import Transaction


async def readable(tx: Transaction, media_id: UUID, reader: Author | None) -> MediaRow | None:
    """A file that `reader` may have: one that a published lesson shows, or one of the reader's own."""
    owned = owned_by(reader) if reader is not None else false()
    query = select(MediaRow).join(CourseRow, col(CourseRow.id) == MediaRow.course_id)
    return (
        await tx.exec(query.where(MediaRow.id == media_id, or_(col(MediaRow.public), owned)))
    ).one_or_none()


async def locked(tx: Transaction, media_id: UUID) -> MediaRow | None:
    """A file that only locked lessons show."""
    query = select(MediaRow).where(MediaRow.id == media_id, col(MediaRow.entitled))
    return (await tx.exec(query)).one_or_none()


async def same_bytes(tx: Transaction, course_id: UUID, sha256: str) -> MediaRow | None:
    """The file of a course with exactly these bytes."""
    found = select(MediaRow).where(MediaRow.course_id == course_id, MediaRow.sha256 == sha256)
    return (await tx.exec(found)).one_or_none()


async def of_course(
    tx: Transaction, course_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[MediaRow]:
    """The files of a course, the newest first."""
    query = select(MediaRow).where(MediaRow.course_id == course_id)
    if after is not None:
        query = query.where(tuple_(col(MediaRow.created_at), col(MediaRow.id)) < after)
    order = (col(MediaRow.created_at).desc(), col(MediaRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()


async def in_use(tx: Transaction, row: MediaRow) -> bool:
    """Whether a lesson of the draft is about the file."""
    found = await tx.exec(select(exists().where(col(LessonRow.media_id) == row.id)))
    return bool(found.one())


async def known_keys(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Which of `keys` belong to a file that is still there."""
    found = select(MediaRow.object_key).where(col(MediaRow.object_key).in_(keys))
    return set((await tx.exec(found)).all())
