"""Drafts: loading and saving what a creator is writing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, text, true, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.content.domain.authors import Author
from services.content.domain.courses import Access, Article, Body, Course, File, Lesson, Module, Video
from services.content.domain.media import Media
from services.content.store.tables import CourseRow, HtmlRow, LessonRow, MediaRow, ModuleRow
from suuupra.db import Transaction


def owned_by(author: Author) -> ColumnElement[bool]:
    """Whether a course is the author's own."""
    return true() if author.all else col(CourseRow.owner) == author.subject


async def owned_course(tx: Transaction, author: Author, course_id: UUID) -> CourseRow | None:
    """A course of `author`, to be read."""
    found = select(CourseRow).where(CourseRow.id == course_id, owned_by(author))
    return (await tx.exec(found)).one_or_none()


async def lock_course(tx: Transaction, author: Author, course_id: UUID) -> CourseRow | None:
    """A course of `author`, to be changed: changes in one course happen one after the other."""
    found = select(CourseRow).where(CourseRow.id == course_id, owned_by(author)).with_for_update()
    return (await tx.exec(found)).one_or_none()


async def imported_course(tx: Transaction, owner: str, source_key: str) -> CourseRow | None:
    """The course that an import made before, locked."""
    found = select(CourseRow).where(CourseRow.owner == owner, CourseRow.source_key == source_key)
    return (await tx.exec(found.with_for_update())).one_or_none()


async def owned_courses(
    tx: Transaction, author: Author, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[CourseRow]:
    """The courses of `author`, the newest first."""
    query = select(CourseRow).where(owned_by(author))
    if after is not None:
        query = query.where(tuple_(col(CourseRow.created_at), col(CourseRow.id)) < after)
    order = (col(CourseRow.created_at).desc(), col(CourseRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()


async def slugs_like(tx: Transaction, slug: str) -> set[str]:
    """The slugs of all courses that begin like `slug`."""
    found = select(CourseRow.slug).where(col(CourseRow.slug).startswith(slug, autoescape=True))
    return set((await tx.exec(found)).all())


async def lesson_slugs(tx: Transaction, course_id: UUID) -> set[str]:
    """The slugs of a course's lessons."""
    return set((await tx.exec(select(LessonRow.slug).where(LessonRow.course_id == course_id))).all())


async def modules(tx: Transaction, course_id: UUID) -> Sequence[ModuleRow]:
    """A course's modules in order."""
    found = select(ModuleRow).where(ModuleRow.course_id == course_id).order_by(col(ModuleRow.position))
    return (await tx.exec(found)).all()


async def lessons(tx: Transaction, course_id: UUID) -> Sequence[LessonRow]:
    """A course's lessons, in order within each module."""
    found = select(LessonRow).where(LessonRow.course_id == course_id).order_by(col(LessonRow.position))
    return (await tx.exec(found)).all()


async def owned_module(tx: Transaction, author: Author, module_id: UUID) -> ModuleRow | None:
    """A module in a course of `author`; the course is locked."""
    row = await tx.get(ModuleRow, module_id)
    if row is None or await lock_course(tx, author, row.course_id) is None:
        return None
    await tx.refresh(row)
    return row


async def owned_lesson(tx: Transaction, author: Author, lesson_id: UUID, *, lock: bool) -> LessonRow | None:
    """A lesson in a course of `author`; to be changed when `lock`, and then its course is locked."""
    row = await tx.get(LessonRow, lesson_id)
    if row is None:
        return None
    course = await (lock_course if lock else owned_course)(tx, author, row.course_id)
    if course is None:
        return None
    if lock:
        await tx.refresh(row)
    return row


async def media_of_course(tx: Transaction, course_id: UUID, media_id: UUID) -> MediaRow | None:
    """A media file of that course and no other."""
    row = await tx.get(MediaRow, media_id)
    return row if row is not None and row.course_id == course_id else None


async def save_html(tx: Transaction, course_id: UUID, hash_: str, html: str) -> None:
    """Keep a text under its hash, once."""
    await tx.execute(
        insert(HtmlRow).values(course_id=course_id, hash=hash_, html=html).on_conflict_do_nothing()
    )


async def characters(tx: Transaction, course_id: UUID) -> int:
    """Length of all texts that the draft's lessons show, markup included; a text shown twice counts once."""
    used = select(LessonRow.html_hash).where(LessonRow.course_id == course_id)
    query = select(func.coalesce(func.sum(func.length(HtmlRow.html)), 0)).where(
        HtmlRow.course_id == course_id, col(HtmlRow.hash).in_(used)
    )
    return int((await tx.exec(query)).one())


async def html(tx: Transaction, course_id: UUID, hash_: str) -> str:
    """The text with that hash."""
    row = await tx.get_one(HtmlRow, (course_id, hash_))
    return row.html


_CLOSE_GAPS = text("""
UPDATE lesson SET position = counted.position
FROM (SELECT id, row_number() OVER (PARTITION BY module_id ORDER BY position) - 1 AS position
      FROM lesson WHERE course_id = :course_id) counted
WHERE lesson.id = counted.id AND lesson.position <> counted.position
""")
_CLOSE_MODULE_GAPS = text("""
UPDATE module SET position = counted.position
FROM (SELECT id, row_number() OVER (ORDER BY position) - 1 AS position FROM module WHERE course_id = :course_id) counted
WHERE module.id = counted.id AND module.position <> counted.position
""")
_PLACE_MODULES = text("""
UPDATE module SET position = wanted.position
FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS integer[])) AS wanted (id, position)
WHERE module.id = wanted.id AND module.course_id = :course_id
""")
_PLACE_LESSONS = text("""
UPDATE lesson SET module_id = wanted.module_id, position = wanted.position
FROM unnest(CAST(:ids AS uuid[]), CAST(:modules AS uuid[]), CAST(:positions AS integer[]))
    AS wanted (id, module_id, position)
WHERE lesson.id = wanted.id AND lesson.course_id = :course_id
""")


async def close_gaps(tx: Transaction, course_id: UUID) -> None:
    """Renumber after something was taken out, so that positions count 0, 1, 2…"""
    await tx.flush()
    await tx.execute(_CLOSE_GAPS, {"course_id": course_id})
    await tx.execute(_CLOSE_MODULE_GAPS, {"course_id": course_id})


async def place(tx: Transaction, course_id: UUID, order: Sequence[tuple[UUID, Sequence[UUID]]]) -> None:
    """Put every module and lesson where `order` says. `order` is complete; see `domain.courses.check_order`."""
    await tx.flush()
    modules_ = [module for module, _ in order]
    places = [
        (lesson, module, position) for module, inside in order for position, lesson in enumerate(inside)
    ]
    await tx.execute(
        _PLACE_MODULES, {"course_id": course_id, "ids": modules_, "positions": list(range(len(modules_)))}
    )
    values = {
        "course_id": course_id,
        "ids": [lesson for lesson, _, _ in places],
        "modules": [module for _, module, _ in places],
        "positions": [position for _, _, position in places],
    }
    await tx.execute(_PLACE_LESSONS, values)


async def count_lessons(tx: Transaction, course_id: UUID) -> int:
    """How many lessons a course has."""
    found = await tx.exec(select(func.count()).select_from(LessonRow).where(LessonRow.course_id == course_id))
    return found.one()


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole draft, as a domain value."""

    row: CourseRow
    module_versions: dict[UUID, int]
    course: Course


async def load(tx: Transaction, row: CourseRow, *, texts: bool) -> Draft:
    """The draft of a course; without `texts` its lessons have empty ones, which is enough to show its structure."""
    media = {
        found.id: media_of(found)
        for found in (await tx.exec(select(MediaRow).where(MediaRow.course_id == row.id))).all()
    }
    htmls = await _texts(tx, row.id) if texts else {}
    by_module: dict[UUID, list[Lesson]] = {}
    for lesson in await lessons(tx, row.id):
        by_module.setdefault(lesson.module_id, []).append(
            lesson_of(lesson, media, htmls.get(lesson.html_hash, ""))
        )
    rows = await modules(tx, row.id)
    tree = tuple(Module(it.id, it.title, tuple(by_module.get(it.id, ()))) for it in rows)
    return Draft(row, {it.id: it.version for it in rows}, _course_of(row, tree))


async def _texts(tx: Transaction, course_id: UUID) -> dict[str, str]:
    used = select(LessonRow.html_hash).where(LessonRow.course_id == course_id)
    query = select(HtmlRow.hash, HtmlRow.html).where(
        HtmlRow.course_id == course_id, col(HtmlRow.hash).in_(used)
    )
    return dict((await tx.exec(query)).all())


def _course_of(row: CourseRow, tree: tuple[Module, ...]) -> Course:
    return Course(
        id=row.id,
        owner=row.owner,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        description=row.description,
        language=row.language,
        outcomes=tuple(row.outcomes),
        licence=row.licence,
        source=row.source,
        modules=tree,
        access=cast("Access", row.access),
        preview_lessons=row.preview_lessons,
    )


def lesson_of(row: LessonRow, media: dict[UUID, Media], html_: str) -> Lesson:
    """A lesson as a domain value."""
    return Lesson(row.id, row.slug, row.title, row.minutes, row.html_hash, _body_of(row, media, html_))


def _body_of(row: LessonRow, media: dict[UUID, Media], html_: str) -> Body:
    if row.media_id is None:
        return Article(html_)
    file = media[row.media_id]
    return Video(file, row.seconds, html_) if row.kind == "video" else File(file, html_)


def media_of(row: MediaRow) -> Media:
    """A media file as a domain value."""
    return Media(row.id, row.name, row.content_type, row.size, row.width, row.height)


async def delete_all(tx: Transaction, rows: Iterable[LessonRow | ModuleRow | CourseRow]) -> None:
    """Take rows out; what hangs on them goes with them."""
    for row in rows:
        await tx.delete(row)
    await tx.flush()
