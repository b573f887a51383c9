"""The first transaction of an import: the course's structure, with an id for every lesson."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.content import contract
from services.content.domain.authors import Author
from services.content.domain.documents.plan import CoursePlan, PlannedLesson, PlannedModule
from services.content.store import drafts
from services.content.store.tables import CourseRow, LessonRow, ModuleRow
from services.content.usecases import courses
from services.content.usecases.lessons import hash_of
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.ids import new_id

_TAKE_TURNS: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_EMPTY: Final = hash_of("")


@dataclass(frozen=True, slots=True)
class Outline:
    """The ids of a course's lessons by their keys, and the hashes of the texts they have already."""

    course_id: UUID
    slug: str
    lesson_ids: dict[str, UUID]
    hashes: dict[str, str]
    removed: int


async def make_outline(
    tx: Transaction,
    clock: Clock,
    author: Author,
    source_key: str,
    fields: contract.CourseFields,
    planned: CoursePlan,
) -> Outline:
    """Make the course's structure what `planned` says. Lessons that were there keep their ids and texts."""
    await tx.execute(_TAKE_TURNS, {"key": f"{author.subject}/{source_key}"})
    course = await _course(tx, clock, author, source_key, fields)
    await drafts.save_html(tx, course.id, _EMPTY, "")
    modules = {row.source_key: row for row in await drafts.modules(tx, course.id)}
    lessons = {row.source_key: row for row in await drafts.lessons(tx, course.id)}
    before = _structure(modules.values(), lessons.values())
    kept = list(_place(course, planned, modules, lessons))
    # One flush each: without declared relationships the session does not know that lessons follow their modules.
    tx.add_all(row for row in kept if isinstance(row, ModuleRow))
    await tx.flush()
    tx.add_all(row for row in kept if isinstance(row, LessonRow))
    await tx.flush()
    wanted = {row.id for row in kept}
    gone = [row for row in lessons.values() if row.id not in wanted]
    await drafts.delete_all(tx, gone)
    await drafts.delete_all(tx, [row for row in modules.values() if row.id not in wanted])
    rows = {row.source_key: row for row in kept if isinstance(row, LessonRow) and row.source_key}
    if before != _structure((it for it in kept if isinstance(it, ModuleRow)), rows.values()):
        courses.changed(course, clock)
    return Outline(
        course.id,
        course.slug,
        {key: row.id for key, row in rows.items()},
        {key: row.html_hash for key, row in rows.items()},
        len(gone),
    )


async def _course(
    tx: Transaction, clock: Clock, author: Author, source_key: str, fields: contract.CourseFields
) -> CourseRow:
    """The course that an import with this key made before, saying what this one says; or a new one."""
    row = await drafts.imported_course(tx, author.subject, source_key)
    if row is None:
        begun = await courses.begin(tx, clock, author, fields, source_key=source_key)
        return await tx.get_one(CourseRow, begun.id)
    said = courses.described(fields)
    if said != row.model_dump(include=set(said)):
        for name, value in said.items():
            setattr(row, name, value)
        courses.changed(row, clock)
    return row


def _place(
    course: CourseRow,
    planned: CoursePlan,
    modules: dict[str | None, ModuleRow],
    lessons: dict[str | None, LessonRow],
) -> Iterator[ModuleRow | LessonRow]:
    """The rows of the planned structure, those that exist changed in place."""
    for position, module in enumerate(planned.modules):
        row = modules.get(module.key) or _new_module(course, module)
        row.position, row.title = position, module.title
        yield row
        for number, lesson in enumerate(module.lessons):
            yield _placed(lessons.get(lesson.key) or _new_lesson(course, row, lesson), row, number, lesson)


def _placed(row: LessonRow, module: ModuleRow, position: int, lesson: PlannedLesson) -> LessonRow:
    row.module_id, row.position = module.id, position
    row.title, row.slug = lesson.title, lesson.slug
    return row


def _structure(modules: Iterable[ModuleRow], lessons: Iterable[LessonRow]) -> set[tuple[object, ...]]:
    """What a reader would notice of a structure."""
    return {
        *((row.id, row.position, row.title) for row in modules),
        *((row.id, row.module_id, row.position, row.title, row.slug) for row in lessons),
    }


def _new_module(course: CourseRow, module: PlannedModule) -> ModuleRow:
    return ModuleRow(id=new_id(), course_id=course.id, position=0, title=module.title, source_key=module.key)


def _new_lesson(course: CourseRow, module: ModuleRow, lesson: PlannedLesson) -> LessonRow:
    return LessonRow(
        id=new_id(),
        course_id=course.id,
        module_id=module.id,
        position=0,
        slug=lesson.slug,
        title=lesson.title,
        kind="article",
        html_hash=_EMPTY,
        source_key=lesson.key,
    )
