"""The history of what was published."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, cast
from uuid import UUID

from sqlmodel import col, select

from services.content.domain.publishing import LastRevision
from services.content.store.tables import CourseRow, RevisionRow
from suuupra.db import Transaction


class About(Protocol):
    """A revision without its contents."""

    @property
    def number(self) -> int: ...
    @property
    def published_at(self) -> datetime: ...
    @property
    def published_by(self) -> str: ...
    @property
    def lesson_count(self) -> int: ...


async def last(tx: Transaction, course: CourseRow) -> LastRevision | None:
    """The newest revision of a course."""
    row = await tx.get(RevisionRow, (course.id, course.last_revision))
    if row is None:
        return None
    return LastRevision(row.number, row.fingerprint, shown=course.shown_revision == row.number)


async def one(tx: Transaction, course_id: UUID, number: int) -> RevisionRow | None:
    """A revision by its number."""
    return await tx.get(RevisionRow, (course_id, number))


async def newest(tx: Transaction, course_id: UUID, after: tuple[int] | None, limit: int) -> Sequence[About]:
    """Revisions without their contents, the newest first."""
    query = select(
        RevisionRow.number, RevisionRow.published_at, RevisionRow.published_by, RevisionRow.lesson_count
    ).where(RevisionRow.course_id == course_id)
    if after is not None:
        query = query.where(col(RevisionRow.number) < after[0])
    rows = await tx.exec(query.order_by(col(RevisionRow.number).desc()).limit(limit))
    return cast("Sequence[About]", rows.all())
