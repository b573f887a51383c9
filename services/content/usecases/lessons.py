"""The modules and lessons of a draft: add, change, delete."""

import asyncio
import hashlib
from uuid import UUID

from services.content import contract
from services.content.domain.authors import Author
from services.content.domain.courses import fits, minutes_of
from services.content.domain.documents.bounds import Unreadable, check_depth, parsing
from services.content.domain.markup import AuthoredLinks, clean
from services.content.domain.slugs import free_slug, slugify
from services.content.store import drafts
from services.content.store.tables import CourseRow, LessonRow, MediaRow, ModuleRow
from services.content.usecases import views
from services.content.usecases.courses import changed, check_slug, locked
from services.content.usecases.problems import slug_taken
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import invalid, not_found
from suuupra.etags import Precondition
from suuupra.ids import new_id


async def add_module(
    tx: Transaction, clock: Clock, author: Author, course_id: UUID, new: contract.NewModule
) -> contract.ModuleDraft:
    """Add a module to a course."""
    course = await locked(tx, author, course_id)
    present = list(await drafts.modules(tx, course_id))
    if len(present) >= contract.MAX_MODULES:
        raise invalid("body", f"must not be module {contract.MAX_MODULES + 1}", "make a second course")
    row = ModuleRow(id=new_id(), course_id=course_id, position=len(present), title=new.title)
    tx.add(row)
    _insert(present, row, new.position)
    changed(course, clock)
    await tx.flush()
    return views.module_draft(row)


async def rename_module(
    tx: Transaction,
    clock: Clock,
    author: Author,
    module_id: UUID,
    fields: contract.ModuleFields,
    match: Precondition,
) -> contract.ModuleDraft:
    """Give a module another title."""
    row = await _module(tx, author, module_id)
    match.require(row.version)
    row.title = fields.title
    row.version += 1
    await _count_change(tx, clock, author, row.course_id)
    draft = await drafts.load(tx, await locked(tx, author, row.course_id), texts=False)
    lessons = next(it.lessons for it in draft.course.modules if it.id == module_id)
    return views.module_draft(row, lessons)


async def delete_module(
    tx: Transaction, clock: Clock, author: Author, module_id: UUID, match: Precondition
) -> None:
    """Delete a module with its lessons."""
    row = await _module(tx, author, module_id)
    match.require(row.version)
    await drafts.delete_all(tx, [row])
    await drafts.close_gaps(tx, row.course_id)
    await _count_change(tx, clock, author, row.course_id)


async def sanitised(body: contract.LessonBody) -> str:
    """The body's text as a lesson may hold it; beside the event loop and before any transaction, because it takes time."""
    try:
        return await asyncio.to_thread(_cleaned, body.html)
    except Unreadable as error:
        raise invalid("body.body.html", error.rule, error.fix) from error


def _cleaned(html: str) -> str:
    check_depth(f"<body>{html}")  # as `clean` parses it
    with parsing():
        return clean(html, AuthoredLinks())


async def add_lesson(
    tx: Transaction, clock: Clock, author: Author, module_id: UUID, new: contract.NewLesson, text: str
) -> contract.LessonDraft:
    """Add a lesson to a module. `text` is the body's, sanitised."""
    module = await _module(tx, author, module_id)
    if await drafts.count_lessons(tx, module.course_id) >= contract.MAX_LESSONS:
        raise invalid("body", f"must not be lesson {contract.MAX_LESSONS + 1}", "make a second course")
    present = [it for it in await drafts.lessons(tx, module.course_id) if it.module_id == module_id]
    row = LessonRow(
        id=new_id(),
        course_id=module.course_id,
        module_id=module_id,
        position=len(present),
        slug=await _new_slug(tx, module.course_id, new),
        title=new.title,
        kind=new.body.kind,
        html_hash="",
    )
    await _write(tx, row, new.body, text)
    tx.add(row)
    _insert(present, row, new.position)
    await _count_change(tx, clock, author, module.course_id)
    return await _view(tx, row)


async def read_lesson(tx: Transaction, author: Author, lesson_id: UUID) -> contract.LessonDraft:
    """A lesson as its owner left it."""
    row = await drafts.owned_lesson(tx, author, lesson_id, lock=False)
    if row is None:
        raise not_found("lesson", lesson_id)
    return await _view(tx, row)


async def change_lesson(
    tx: Transaction,
    clock: Clock,
    author: Author,
    lesson_id: UUID,
    fields: contract.LessonFields,
    text: str,
    match: Precondition,
) -> contract.LessonDraft:
    """Replace a lesson's title and body; its slug when one is given. `text` is the body's, sanitised."""
    row = await _lesson(tx, author, lesson_id)
    match.require(row.version)
    if fields.slug is not None and fields.slug != row.slug:
        row.slug = await _new_slug(tx, row.course_id, fields)
    row.title = fields.title
    await _write(tx, row, fields.body, text)
    row.version += 1
    await _count_change(tx, clock, author, row.course_id)
    return await _view(tx, row)


async def delete_lesson(
    tx: Transaction, clock: Clock, author: Author, lesson_id: UUID, match: Precondition
) -> None:
    """Delete a lesson from the draft; learners read it until the course is published again."""
    row = await _lesson(tx, author, lesson_id)
    match.require(row.version)
    await drafts.delete_all(tx, [row])
    await drafts.close_gaps(tx, row.course_id)
    await _count_change(tx, clock, author, row.course_id)


async def _module(tx: Transaction, author: Author, module_id: UUID) -> ModuleRow:
    row = await drafts.owned_module(tx, author, module_id)
    if row is None:
        raise not_found("module", module_id)
    return row


async def _lesson(tx: Transaction, author: Author, lesson_id: UUID) -> LessonRow:
    row = await drafts.owned_lesson(tx, author, lesson_id, lock=True)
    if row is None:
        raise not_found("lesson", lesson_id)
    return row


async def _count_change(tx: Transaction, clock: Clock, author: Author, course_id: UUID) -> CourseRow:
    course = await locked(tx, author, course_id)
    changed(course, clock)
    await tx.flush()
    return course


def _insert(present: list[ModuleRow] | list[LessonRow], row: ModuleRow | LessonRow, at: int | None) -> None:
    """Move `row`, which stands last, to its place, and those behind it one further."""
    if at is None or at >= len(present):
        return
    for later in present[at:]:
        later.position += 1
    row.position = at


async def _new_slug(tx: Transaction, course_id: UUID, fields: contract.LessonFields) -> str:
    taken = await drafts.lesson_slugs(tx, course_id)
    if fields.slug is None:
        return free_slug(slugify(fields.title), taken)
    check_slug(fields.slug)
    if fields.slug in taken:
        raise slug_taken(fields.slug)
    return fields.slug


async def _write(tx: Transaction, row: LessonRow, body: contract.LessonBody, text: str) -> None:
    """Put a body into a lesson's row; its sanitised text is kept under its hash."""
    match body:
        case contract.ArticleBody():
            row.media_id, row.seconds = None, 0
        case contract.VideoBody(media_id=media_id, seconds=seconds):
            row.media_id, row.seconds = (await _file(tx, row.course_id, media_id, "video")).id, seconds
        case contract.FileBody(media_id=media_id):
            row.media_id, row.seconds = (await _file(tx, row.course_id, media_id, "file")).id, 0
    row.kind = body.kind
    await write_text(tx, row, text)


async def write_text(tx: Transaction, row: LessonRow, cleaned: str) -> None:
    """Put a text that `clean` gave into a lesson's row."""
    row.html_hash = hash_of(cleaned)
    row.minutes = minutes_of(cleaned, row.seconds)
    await drafts.save_html(tx, row.course_id, row.html_hash, cleaned)


def hash_of(cleaned: str) -> str:
    """What a text is kept under."""
    return hashlib.sha256(cleaned.encode()).hexdigest()


async def _file(tx: Transaction, course_id: UUID, media_id: UUID, kind: contract.LessonKind) -> MediaRow:
    row = await drafts.media_of_course(tx, course_id, media_id)
    if row is None:
        raise invalid("body.body.media_id", "must be a file of this course", "upload it to the course first")
    if not fits(kind, drafts.media_of(row)):
        rule = f"must be a {kind}, but is {row.content_type}"
        raise invalid("body.body.media_id", rule, "send a lesson of kind file, or upload a film")
    return row


async def _view(tx: Transaction, row: LessonRow) -> contract.LessonDraft:
    file = await drafts.media_of_course(tx, row.course_id, row.media_id) if row.media_id else None
    media = {file.id: drafts.media_of(file)} if file else {}
    html = await drafts.html(tx, row.course_id, row.html_hash)
    return views.lesson_draft(row, drafts.lesson_of(row, media, html))
