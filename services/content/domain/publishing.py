"""From a draft to what learners read: whether it may be published, and what the published revision says.

Everything is rendered when it is published, not when it is read: a course is read a million times more often.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Final
from urllib.parse import quote
from uuid import UUID

from services.content import contract
from services.content.domain.courses import Article, Course, Lesson, Module
from services.content.domain.media import Media

_LESSON_HREF = re.compile(r'href="/v1/lessons/([0-9a-f-]{36})(#[^"]*)?"')
_MEDIA_PATH = re.compile(r'(?:src|href)="/v1/media/([0-9a-f-]{36})/')
_LOCKED: Final = '"locked":true'
_UNLOCKED: Final = '"locked":false'
_ETAG_LENGTH: Final = 32
"""Hex digits: 128 bits."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a course needs before learners can read it."""

    field: str
    rule: str
    fix: str


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The draft cannot be published, for all these reasons."""

    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The draft is what the last revision already says; publishing it again changes nothing."""

    revision: int


@dataclass(frozen=True, slots=True)
class Publish:
    """The draft becomes this revision. `fingerprint` tells it from every other state of the course."""

    revision: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class LastRevision:
    """The newest revision of a course. `shown`: learners can read it, the course was not withdrawn since."""

    number: int
    fingerprint: str
    shown: bool


def decide_publish(course: Course, last: LastRevision | None) -> Publish | Unchanged | Incomplete:
    """Whether the draft becomes a revision."""
    missing = tuple(_missing(course))
    if missing:
        return Incomplete(missing)
    fingerprint = fingerprint_of(course)
    if last is not None and last.fingerprint == fingerprint and last.shown:
        return Unchanged(last.number)
    return Publish(last.number + 1 if last else 1, fingerprint)


def _missing(course: Course) -> Iterator[Missing]:
    if not any(course.lessons):
        yield Missing("modules", "must hold at least one lesson", "add a module with a lesson")
    for number, module in enumerate(course.modules):
        if not module.lessons:
            yield Missing(
                f"modules[{number}]", "must hold at least one lesson", "add one, or delete the module"
            )
    for _, lesson in course.lessons:
        if isinstance(lesson.body, Article) and not lesson.body.html:
            yield Missing(f"lessons.{lesson.id}.html", "must not be empty", "write the article, or delete it")


def fingerprint_of(course: Course) -> str:
    """A digest of all that learners would see."""
    about = [course.slug, course.title, course.summary, course.description, course.language]
    more: list[object] = [list(course.outcomes), course.licence, course.source]
    if course.access == "entitled":  # an open course keeps the fingerprint it had before there was access
        more += [course.access, course.preview_lessons]
    modules = [[str(module.id), module.title, _lessons_of(module)] for module in course.modules]
    return hashlib.sha256(json.dumps([about, more, modules]).encode()).hexdigest()


def _lessons_of(module: Module) -> list[list[str]]:
    return [
        [str(lesson.id), lesson.slug, lesson.title, lesson.kind, lesson.html_hash, str(_media_id(lesson))]
        for lesson in module.lessons
    ]


def _media_id(lesson: Lesson) -> UUID | None:
    return lesson.media.id if lesson.media else None


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON text ready to be sent, and the ETag value that names it.

    `entitles`: the course whose entitled readers are answered differently from others; None when all read the same.
    """

    json: str
    etag: str
    entitles: UUID | None = None


@dataclass(frozen=True, slots=True)
class RenderedLesson:
    """A lesson ready to be sent. `locked`: only to those who are entitled to its course."""

    id: UUID
    slug: str
    page: Document
    locked: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """A revision, ready to be sent. Files that an open lesson shows are open, whoever else shows them."""

    summary: contract.CourseSummary
    details: Document
    contents: Document
    lessons: tuple[RenderedLesson, ...]
    open_media: frozenset[UUID]
    locked_media: frozenset[UUID]


def document(model: contract.CourseDetails | contract.Contents | contract.LessonPage) -> Document:
    """A model as JSON with its ETag."""
    text = model.model_dump_json()
    return Document(text, hashlib.sha256(text.encode()).hexdigest()[:_ETAG_LENGTH])


def render(course: Course, revision: int, published_at: datetime) -> Rendered:
    """All that learners may read of a revision."""
    summary = summarise(course, published_at)
    details = contract.CourseDetails(
        **summary.model_dump(),
        description=course.description,
        outcomes=list(course.outcomes),
        revision=revision,
    )
    open_media = frozenset(_media_ids(course, locked=False))
    return Rendered(
        summary,
        document(details),
        document(contents(course, revision)),
        tuple(_render_lessons(course, revision)),
        open_media,
        frozenset(_media_ids(course, locked=True)) - open_media,
    )


def summarise(course: Course, published_at: datetime) -> contract.CourseSummary:
    """The course in the catalogue."""
    return contract.CourseSummary(
        id=course.id,
        slug=course.slug,
        title=course.title,
        summary=course.summary,
        language=course.language,
        lesson_count=len(list(course.lessons)),
        minutes=course.minutes,
        published_at=published_at,
        licence=course.licence,
        source=course.source,
        access=course.access,
        preview_lessons=course.preview_lessons,
    )


def contents(course: Course, revision: int) -> contract.Contents:
    """The table of contents, as those see it who are not entitled to the course."""
    numbers = count(1)
    modules = [
        contract.ModuleEntry(
            id=module.id,
            title=module.title,
            lessons=[_entry(it, locked=course.locks(next(numbers))) for it in module.lessons],
        )
        for module in course.modules
    ]
    return contract.Contents(
        course_id=course.id, slug=course.slug, title=course.title, revision=revision, modules=modules
    )


def _entry(lesson: Lesson, *, locked: bool) -> contract.LessonEntry:
    return contract.LessonEntry(
        id=lesson.id,
        slug=lesson.slug,
        title=lesson.title,
        kind=lesson.kind,
        minutes=lesson.minutes,
        locked=locked,
    )


def unlocked(contents: Document) -> Document:
    """The table of contents, as those see it who are entitled to the course.

    Quotes inside of JSON texts are escaped, so that the exact member cannot be part of a title.
    """
    return replace(contents, json=contents.json.replace(_LOCKED, _UNLOCKED), etag=f"{contents.etag}-entitled")


def _render_lessons(course: Course, revision: int) -> Iterator[RenderedLesson]:
    ordered = list(course.lessons)
    resolve = reader_links(course.slug, {lesson.id: lesson.slug for _, lesson in ordered})
    for index, (module, lesson) in enumerate(ordered):
        page = contract.LessonPage(
            id=lesson.id,
            course_id=course.id,
            course_slug=course.slug,
            course_title=course.title,
            revision=revision,
            module_id=module.id,
            module_title=module.title,
            slug=lesson.slug,
            title=lesson.title,
            kind=lesson.kind,
            number=index + 1,
            count=len(ordered),
            minutes=lesson.minutes,
            html=resolve(lesson.body.html),
            media=media_link(lesson.media) if lesson.media else None,
            previous=_neighbour(ordered, index - 1),
            next=_neighbour(ordered, index + 1),
        )
        yield RenderedLesson(lesson.id, lesson.slug, document(page), locked=course.locks(index + 1))


def _neighbour(ordered: Sequence[tuple[Module, Lesson]], index: int) -> contract.Neighbour | None:
    if not 0 <= index < len(ordered):
        return None
    lesson = ordered[index][1]
    return contract.Neighbour(id=lesson.id, slug=lesson.slug, title=lesson.title)


def media_link(media: Media) -> contract.MediaLink:
    """A file as readers are told of it."""
    return contract.MediaLink(
        id=media.id,
        url=media.path,
        name=media.name,
        content_type=media.content_type,
        size=media.size,
        width=media.width,
        height=media.height,
    )


def reader_links(course_slug: str, slugs: Mapping[UUID, str]) -> Callable[[str], str]:
    """A function that turns links to lesson ids, as drafts hold them, into the addresses that readers see.

    Ids in drafts, so that a renamed lesson breaks no link; a lesson that is gone leads to its course.
    """
    course = f"/courses/{quote(course_slug)}"

    def address(link: re.Match[str]) -> str:
        slug = slugs.get(UUID(link[1]))
        return f'href="{course}/lessons/{quote(slug)}{link[2] or ""}"' if slug else f'href="{course}"'

    return lambda html: _LESSON_HREF.sub(address, html)


def _media_ids(course: Course, *, locked: bool) -> Iterator[UUID]:
    for number, (_, lesson) in enumerate(course.lessons, 1):
        if course.locks(number) != locked:
            continue
        if lesson.media:
            yield lesson.media.id
        for found in _MEDIA_PATH.finditer(lesson.body.html):
            yield UUID(found[1])
