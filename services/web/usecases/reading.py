"""Reading: ask for what a page shows, all at once, and decide what to show of it.

Reading never waits for progress or prices to be well: when they cannot be had, the page says so and the lesson is there.
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
from services.web.clients.commerce import Commerce
from services.web.clients.content import Content, ContentAway, NotEntitled, Reader
from services.web.domain import reading as domain
from services.web.domain.shopping import Market, Sale
from services.web.usecases.market import market_for
from suuupra.clock import Clock
from suuupra.errors import NotFound

T = TypeVar("T")
COURSES_PER_PAGE = 24
SHELF_LENGTH = 3
UNLOCK_TRIES = 8
UNLOCK_PAUSE_SECONDS = 0.25
"""Whoever has just paid reads at once: content hears of it by an event, some tenths of a second after commerce."""


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
    sales: dict[UUID, Sale]

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
    sale: Sale


@dataclass(frozen=True)
class LockedView:
    """A lesson that is for people who have the course, and how to get it."""

    course: CourseDetails
    lesson: domain.Lesson
    sale: Sale

    @property
    def url(self) -> str:
        """The lesson's own page."""
        return self.lesson.url


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


async def catalogue(
    content: Content, shop: Commerce, reader: Reader, query: str, cursor: str | None
) -> CatalogueView:
    """A page of the catalogue; with the shelf on its first page when the reader has begun something."""
    courses, shelf, market = await asyncio.gather(
        content.courses(query, cursor, COURSES_PER_PAGE),
        _shelf(content, reader if not query and not cursor else Reader()),
        market_for(shop, reader.bearer),
    )
    next_url = _catalogue_url(query, courses.next) if courses.next else None
    sales = market.sales({course.id: course.access for course in courses.items})
    return CatalogueView(query, courses.items, shelf, cursor is not None, next_url, sales)


async def course_page(content: Content, shop: Commerce, reader: Reader, slug: str) -> CourseView:
    """A course with its contents, the reader's marks, and how to get it."""
    course, contents, market = await asyncio.gather(
        content.course(slug), content.contents(slug, reader), market_for(shop, reader.bearer)
    )
    progress = await _unless_away(_progress(content, reader, course.id))
    outline = domain.outline(course.slug, contents, progress or [])
    sale = market.sale(course.id, course.access, readable=outline.total > 0 and not outline.locked)
    return CourseView(course, outline, progress is None, sale)


async def open_lesson(
    content: Content,
    shop: Commerce,
    clock: Clock,
    reader: Reader,
    course_slug: str,
    slug: str,
    *,
    opened: bool,
) -> LessonView | LockedView:
    """A lesson to read; notes that the reader opened it unless a browser only looks ahead."""
    try:
        return await _read(content, reader, course_slug, slug, opened=opened)
    except NotEntitled:
        market = await market_for(shop, reader.bearer)
    course = await content.course(course_slug)
    for _ in range(UNLOCK_TRIES if course.id in (market.owned or ()) else 0):
        await clock.sleep(UNLOCK_PAUSE_SECONDS)
        try:
            return await _read(content, reader, course_slug, slug, opened=opened)
        except NotEntitled:
            continue
    return await _locked(content, market, reader, course, slug)


async def _read(content: Content, reader: Reader, course_slug: str, slug: str, *, opened: bool) -> LessonView:
    course, contents, lesson = await asyncio.gather(
        content.course(course_slug),
        content.contents(course_slug, reader),
        content.lesson(course_slug, slug, reader),
    )
    if opened:
        await _unless_away(content.record(reader, lesson.id, "started"))
    progress = await _unless_away(_progress(content, reader, course.id))
    outline = domain.outline(course.slug, contents, progress or [])
    return LessonView(course, lesson, outline, domain.headings(lesson.html), progress_away=progress is None)


async def _locked(
    content: Content, market: Market, reader: Reader, course: CourseDetails, slug: str
) -> LockedView:
    outline = domain.outline(course.slug, await content.contents(course.slug, reader), [])
    lesson = next((one for one in outline.lessons if slug in (one.slug, str(one.id))), None)
    if lesson is None:
        raise NotFound("There is no such lesson.")
    return LockedView(course, lesson, market.sale(course.id, course.access))


async def complete_lesson(content: Content, reader: Reader, course_slug: str, slug: str) -> str:
    """Note that the lesson is completed; returns the URL to go on with: the next lesson, or the course."""
    contents, lesson = await asyncio.gather(
        content.contents(course_slug, reader), content.lesson(course_slug, slug, reader)
    )
    await content.record(reader, lesson.id, "completed")
    _, after = domain.outline(course_slug, contents, []).neighbours(lesson.id)
    return after.url if after else domain.course_url(course_slug)


async def _progress(content: Content, reader: Reader, course_id: UUID) -> list[LessonProgress]:
    return await content.progress(reader, course_id) if reader.known else []


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


async def _shelf(content: Content, reader: Reader) -> list[ShelfItem]:
    return await shelf(content, reader, SHELF_LENGTH)


async def shelf(content: Content, reader: Reader, length: int, *, strict: bool = False) -> list[ShelfItem]:
    """The courses that a reader has begun, the latest first; while that cannot be told none, or (`strict`) ContentAway."""
    if not reader.known:
        return []
    begun = await content.begun(reader) if strict else await _unless_away(content.begun(reader))
    items = (_shelf_item(content, reader, item.course) for item in (begun or [])[:length])
    return [item for item in await asyncio.gather(*map(_unless_withdrawn, items)) if item]


async def _shelf_item(content: Content, reader: Reader, course: CourseSummary) -> ShelfItem:
    contents, progress = await asyncio.gather(
        content.contents(course.slug, reader), content.progress(reader, course.id)
    )
    return ShelfItem(course, domain.outline(course.slug, contents, progress))


def _catalogue_url(query: str, cursor: str | None) -> str:
    params = {key: value for key, value in (("q", query), ("cursor", cursor)) if value}
    return f"/?{urlencode(params)}" if params else "/"
