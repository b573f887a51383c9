"""Publish, withdraw, look back."""

from typing import Final
from uuid import UUID

from services.content import contract
from services.content.domain.authors import Author
from services.content.domain.courses import Course
from services.content.domain.publishing import (
    Incomplete,
    Publish,
    Unchanged,
    contents,
    decide_publish,
    render,
)
from services.content.store import drafts, revisions, shown
from services.content.store.tables import CourseRow, RevisionRow
from services.content.usecases.courses import changed, hide, locked
from services.content.usecases.problems import CourseIncomplete
from suuupra import outbox
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import FieldError, invalid, not_found
from suuupra.etags import Precondition

MAX_CHARACTERS: Final = 20_000_000
"""Characters of all texts of a course that is published: they are in memory at once. The tutorial has 0.7 million."""


async def publish(
    tx: Transaction, clock: Clock, author: Author, course_id: UUID, match: Precondition
) -> contract.RevisionEntry:
    """Make the draft what learners read. A draft that says what they read already stays the same revision."""
    row = await locked(tx, author, course_id)
    match.require(row.version)
    if await drafts.characters(tx, course_id) > MAX_CHARACTERS:
        rule = f"must hold at most {MAX_CHARACTERS:,} characters in all its lessons"
        raise invalid("course.lessons", rule, "make two courses of it")
    course = (await drafts.load(tx, row, texts=True)).course
    match decide_publish(course, await revisions.last(tx, row)):
        case Incomplete(missing):
            errors = [FieldError(f"course.{it.field}", it.rule, it.fix) for it in missing]
            raise CourseIncomplete(f"The course's {missing[0].field} {missing[0].rule}.", errors=errors)
        case Unchanged(number):
            return entry(await _revision(tx, row, number), row)
        case Publish() as decided:
            return await _show(tx, clock, author, row, course, decided)


async def _show(
    tx: Transaction, clock: Clock, author: Author, row: CourseRow, course: Course, decided: Publish
) -> contract.RevisionEntry:
    now, number = clock.now(), decided.revision
    revision = RevisionRow(
        course_id=row.id,
        number=number,
        fingerprint=decided.fingerprint,
        contents=contents(course, number).model_dump(mode="json"),
        hashes=sorted({lesson.html_hash for _, lesson in course.lessons}),
        lesson_count=len(list(course.lessons)),
        published_by=author.subject,
        published_at=now,
    )
    tx.add(revision)
    row.last_revision = row.shown_revision = number
    row.listed_at = row.listed_at or now
    changed(row, clock)
    await tx.flush()
    await shown.show(tx, render(course, number, now), number, row.listed_at)
    await outbox.append(tx, row.id, _published(row, revision), at=now)
    return entry(revision, row)


def _published(row: CourseRow, revision: RevisionRow) -> contract.CoursePublished:
    return contract.CoursePublished(
        course_id=row.id,
        revision=revision.number,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        language=row.language,
        owner=row.owner,
        lesson_count=revision.lesson_count,
        published_at=revision.published_at,
    )


async def unpublish(
    tx: Transaction, clock: Clock, author: Author, course_id: UUID, match: Precondition
) -> contract.CourseEntry:
    """Withdraw a course: learners find it no longer. Its draft and its revisions stay."""
    row = await locked(tx, author, course_id)
    match.require(row.version)
    if row.shown_revision is not None:
        await hide(tx, clock, row)
        changed(row, clock)
    await tx.flush()
    return contract.CourseEntry.model_validate(row, from_attributes=True)


async def revision(tx: Transaction, author: Author, course_id: UUID, number: int) -> contract.Revision:
    """One revision, with its table of contents."""
    row = await drafts.owned_course(tx, author, course_id)
    found = await revisions.one(tx, course_id, number) if row else None
    if row is None or found is None:
        raise not_found("revision", f"{number} of course {course_id}")
    about = entry(found, row)
    return contract.Revision(**about.model_dump(), contents=contract.Contents(**found.contents))


async def _revision(tx: Transaction, row: CourseRow, number: int) -> RevisionRow:
    found = await revisions.one(tx, row.id, number)
    if found is None:
        raise LookupError(f"course {row.id} shows revision {number}, which is not kept")
    return found


def entry(revision: revisions.About, row: CourseRow) -> contract.RevisionEntry:
    """A revision of the course `row`, as its owner is told of it."""
    return contract.RevisionEntry(
        number=revision.number,
        published_at=revision.published_at,
        published_by=revision.published_by,
        lesson_count=revision.lesson_count,
        shown=row.shown_revision == revision.number,
    )
