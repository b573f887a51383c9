"""What the pages do: ask content for what a page shows, all at once, and decide what to show of it.

Reading never waits for progress to be well: when it cannot be had, the page says so and the lesson is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from services.content.contract import (
    CourseDetails,
    CourseSummary,
    LessonPage,
    LessonProgress,
    ProgressState,
)
from services.web import domain
from services.web.clients import Content, ContentAway
from suuupra.errors import NotFound

T = TypeVar("T")
COURSES_PER_PAGE = 24
SHELF_LENGTH = 3


@dataclass(frozen=True)
class ShelfItem:
    """A course the visitor has begun, and where it goes on."""

    course: CourseSummary
    outline: domain.Outline

    @property
    def url(self) -> str:
        """The lesson to go on with; the course's page when all are completed."""
        return self.outline.resume.url if self.outline.resume else domain.course_url(self.course.slug)


@dataclass(frozen=True)
class CatalogueView:
    """The catalogue, or what a search found."""

    query: str
    courses: list[CourseSummary]
    shelf: list[ShelfItem]
    paged: bool
    next_url: str | None

    @property
    def first_url(self) -> str | None:
        """Back to the first page, on the later ones."""
        return _catalogue_url(self.query, None) if self.paged else None


@dataclass(frozen=True)
class CourseView:
    """A course page as one visitor sees it."""

    course: CourseDetails
    outline: domain.Outline
    progress_away: bool


@dataclass(frozen=True)
class LessonView:
    """A lesson page as one visitor sees it."""

    course: CourseDetails
    lesson: LessonPage
    outline: domain.Outline
    headings: tuple[domain.Heading, ...]
    progress_away: bool

    @property
    def url(self) -> str:
        """The lesson's own page."""
        return domain.lesson_url(self.course.slug, self.lesson.slug)

    @property
    def complete_url(self) -> str:
        """Where the form goes."""
        return f"{self.url}/complete"

    @property
    def state(self) -> ProgressState | None:
        """What the visitor has done with this lesson."""
        return next((item.state for item in self.outline.lessons if item.id == self.lesson.id), None)

    @property
    def previous(self) -> domain.Lesson | None:
        """The lesson before, in reading order."""
        return self.outline.neighbours(self.lesson.id)[0]

    @property
    def next(self) -> domain.Lesson | None:
        """The lesson after, in reading order."""
        return self.outline.neighbours(self.lesson.id)[1]


async def catalogue(content: Content, visitor: UUID | None, query: str, cursor: str | None) -> CatalogueView:
    """A page of the catalogue; with the shelf on its first page when the visitor has begun something."""
    courses, shelf = await asyncio.gather(
        content.courses(query, cursor, COURSES_PER_PAGE),
        _shelf(content, visitor if not query and not cursor else None),
    )
    next_url = _catalogue_url(query, courses.next) if courses.next else None
    return CatalogueView(query, courses.items, shelf, paged=cursor is not None, next_url=next_url)


async def course_page(content: Content, visitor: UUID | None, slug: str) -> CourseView:
    """A course with its contents and the visitor's marks."""
    course, contents = await asyncio.gather(content.course(slug), content.contents(slug))
    progress = await _unless_away(_progress(content, visitor, course.id))
    outline = domain.outline(course.slug, contents, progress or [])
    return CourseView(course, outline, progress_away=progress is None)


async def open_lesson(
    content: Content, visitor: UUID, course_slug: str, slug: str, *, opened: bool
) -> LessonView:
    """A lesson to read; notes that the visitor opened it unless a browser only looks ahead."""
    course, contents, lesson = await asyncio.gather(
        content.course(course_slug), content.contents(course_slug), content.lesson(course_slug, slug)
    )
    if opened:
        await _unless_away(content.record(visitor, lesson.id, "started"))
    progress = await _unless_away(content.progress(visitor, course.id))
    outline = domain.outline(course.slug, contents, progress or [])
    return LessonView(course, lesson, outline, domain.headings(lesson.html), progress_away=progress is None)


async def complete_lesson(content: Content, visitor: UUID, course_slug: str, slug: str) -> str:
    """Note that the lesson is completed; returns the URL to go on with: the next lesson, or the course."""
    contents, lesson = await asyncio.gather(content.contents(course_slug), content.lesson(course_slug, slug))
    await content.record(visitor, lesson.id, "completed")
    _, after = domain.outline(course_slug, contents, []).neighbours(lesson.id)
    return after.url if after else domain.course_url(course_slug)


async def _progress(content: Content, visitor: UUID | None, course_id: UUID) -> list[LessonProgress]:
    return await content.progress(visitor, course_id) if visitor else []


async def _unless_away(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except ContentAway:
        return None


async def _unless_withdrawn(answer: Awaitable[T]) -> T | None:
    """None as well for a course that was there a moment ago."""
    try:
        return await _unless_away(answer)
    except NotFound:
        return None


async def _shelf(content: Content, visitor: UUID | None) -> list[ShelfItem]:
    visited = await _unless_away(content.visited(visitor)) if visitor else None
    items = (_shelf_item(content, visitor, item.course) for item in (visited or [])[:SHELF_LENGTH] if visitor)
    return [item for item in await asyncio.gather(*map(_unless_withdrawn, items)) if item]


async def _shelf_item(content: Content, visitor: UUID, course: CourseSummary) -> ShelfItem:
    contents, progress = await asyncio.gather(
        content.contents(course.slug), content.progress(visitor, course.id)
    )
    outline = domain.outline(course.slug, contents, progress)
    return ShelfItem(course, outline)


def _catalogue_url(query: str, cursor: str | None) -> str:
    params = {key: value for key, value in (("q", query), ("cursor", cursor)) if value}
    return f"/?{urlencode(params)}" if params else "/"
