"""Drafts as their owners are told of them."""

from typing import Final

from services.content import contract
from services.content.domain.courses import Lesson, Module
from services.content.domain.publishing import media_link
from services.content.store.drafts import Draft
from services.content.store.tables import CourseRow, LessonRow, ModuleRow

_ENTRY: Final = {"id", "owner", "slug", "title", "version", "shown_revision", "updated_at"}


def course_entry(row: CourseRow) -> contract.CourseEntry:
    """A course in its owner's list."""
    return contract.CourseEntry(**_entry_fields(row))


def _entry_fields(row: CourseRow) -> dict[str, object]:
    return row.model_dump(include=_ENTRY)


def course_draft(draft: Draft) -> contract.CourseDraft:
    """A course with its structure."""
    row = draft.row
    return contract.CourseDraft(
        **_entry_fields(row),
        summary=row.summary,
        description=row.description,
        language=row.language,
        outcomes=row.outcomes,
        licence=row.licence,
        source=row.source,
        access=draft.course.access,
        preview_lessons=row.preview_lessons,
        created_at=row.created_at,
        modules=[_module_draft(module, draft.module_versions[module.id]) for module in draft.course.modules],
    )


def _module_draft(module: Module, version: int) -> contract.ModuleDraft:
    lessons = [lesson_entry(lesson) for lesson in module.lessons]
    return contract.ModuleDraft(id=module.id, title=module.title, lessons=lessons, version=version)


def lesson_entry(lesson: Lesson) -> contract.LessonEntry:
    """A lesson in the structure of its course."""
    return contract.LessonEntry(
        id=lesson.id, slug=lesson.slug, title=lesson.title, kind=lesson.kind, minutes=lesson.minutes
    )


def module_draft(row: ModuleRow, lessons: tuple[Lesson, ...] = ()) -> contract.ModuleDraft:
    """A module by itself."""
    return _module_draft(Module(row.id, row.title, lessons), row.version)


def lesson_draft(row: LessonRow, lesson: Lesson) -> contract.LessonDraft:
    """A lesson with its text."""
    return contract.LessonDraft(
        **lesson_entry(lesson).model_dump(),
        course_id=row.course_id,
        module_id=row.module_id,
        html=lesson.body.html,
        seconds=row.seconds,
        media=media_link(lesson.media) if lesson.media else None,
        version=row.version,
    )
