"""What web asks of content: courses, lessons, and how far a learner is in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import httpx

from services.content.contract import (
    Contents,
    CourseDetails,
    CourseProgress,
    CourseProgressItems,
    CourseProgressList,
    CourseSummary,
    LessonPage,
    LessonProgress,
    ProgressState,
    ProgressUpdate,
    Right,
    Rights,
)
from services.web.clients.calling import Away, Call, Refusal, Service, segment
from suuupra import errors
from suuupra.pagination import Page


class ContentAway(Away):
    """Content does not answer, or answers that it cannot."""

    slug = "content-away"
    title = "Courses are away for a moment"
    about = "Courses cannot be read right now. Nothing is lost; try again in a few seconds."


class NotEntitled(errors.Forbidden):
    """The lesson is for people who have the course."""

    slug = "not-entitled"
    title = "This lesson is part of a course that you do not have yet"

    def __init__(self) -> None:
        super().__init__("Get the course to read this lesson.")


@dataclass(frozen=True)
class Reader:
    """Who reads: a person by their token, else a visitor by their number, else somebody without a name."""

    bearer: str | None = None
    visitor: UUID | None = None

    @property
    def known(self) -> bool:
        """Whether progress can be kept for them."""
        return self.bearer is not None or self.visitor is not None


class Content(Service):
    """Courses and progress."""

    name: ClassVar[str] = "content"
    away: ClassVar[type[Away]] = ContentAway

    async def courses(self, query: str, cursor: str | None, limit: int) -> Page[CourseSummary]:
        """A page of published courses whose title matches."""
        params = {"q": query, "cursor": cursor or "", "limit": str(limit)}
        try:
            return await self.get(Page[CourseSummary], "/v1/courses", {k: v for k, v in params.items() if v})
        except errors.BadRequest as refusal:
            raise _no_such_page() from refusal

    async def course(self, course: str) -> CourseDetails:
        """A published course by slug or id; NotFound."""
        return await self.get(CourseDetails, f"/v1/courses/{segment(course)}")

    async def contents(self, course: str, reader: Reader) -> Contents:
        """The modules and lessons of a published course, with what is locked for the reader; NotFound."""
        path = f"/v1/courses/{segment(course)}/contents"
        return await self.get(Contents, path, bearer=reader.bearer)

    async def lesson(self, course: str, lesson: str, reader: Reader) -> LessonPage:
        """A lesson of a course, each by slug or id; NotFound, NotEntitled."""
        path = f"/v1/courses/{segment(course)}/lessons/{segment(lesson)}"
        return await self.get(LessonPage, path, bearer=reader.bearer)

    async def access(self, user: UUID, courses: Iterable[UUID], bearer: str) -> list[Right]:
        """Which locked courses are open to somebody, and since when; for support."""
        asked = "&".join(f"course_id={course}" for course in courses)
        return (await self.get(Rights, f"/internal/v1/access/{user}?{asked}", bearer=bearer)).items

    async def progress(self, reader: Reader, course_id: UUID) -> list[LessonProgress]:
        """What a reader has opened and completed in a course."""
        params = {"course": str(course_id)}
        answer = await self.get(CourseProgressItems, _progress(reader), params, bearer=reader.bearer)
        return answer.items

    async def begun(self, reader: Reader) -> list[CourseProgress]:
        """The courses a reader has opened, latest first."""
        path = "/v1/progress/courses" if reader.bearer else f"{_visitor(reader.visitor)}/courses"
        return (await self.get(CourseProgressList, path, bearer=reader.bearer)).items

    async def record(self, reader: Reader, lesson_id: UUID, state: ProgressState) -> LessonProgress:
        """Note that a reader opened or completed a lesson. A PUT: doing it twice is doing it once."""
        change = ProgressUpdate(state=state).model_dump(mode="json")
        call = Call("PUT", f"{_progress(reader)}/{lesson_id}", json=change, bearer=reader.bearer)
        return LessonProgress.model_validate_json((await self.ask(call)).content)

    async def merge(self, visitor: UUID, bearer: str) -> None:
        """Make a visitor's progress a person's. Asked again it changes nothing more, so it carries a key."""
        await self.ask(Call("POST", f"{_visitor(visitor)}/merge", bearer=bearer, key=f"merge-{visitor}"))

    def refusal(self, refusal: Refusal, response: httpx.Response) -> errors.Problem:
        """Content's refusals in our words."""
        match refusal.status:
            case 403 if refusal.slug == NotEntitled.slug:
                return NotEntitled()
            case 404 | 410:
                return errors.NotFound("There is no such course or lesson.")
            case 401 | 403 | 429:
                return super().refusal(refusal, response)
            case _:
                return errors.BadRequest(
                    "The address holds something that cannot be used. Start from the catalogue."
                )


def _visitor(visitor: UUID | None) -> str:
    """What is a visitor's; the gateway routes nothing of it."""
    return f"/internal/v1/visitors/{visitor}"


def _progress(reader: Reader) -> str:
    """Where a reader's progress is: people's by their token."""
    return "/v1/progress" if reader.bearer else f"{_visitor(reader.visitor)}/progress"


def _no_such_page() -> errors.BadRequest:
    """Words and limit are checked here already: what content refuses of a search is the place it goes on from."""
    error = errors.FieldError(
        "query.cursor", "must come from a link of the catalogue", "start from the catalogue"
    )
    return errors.BadRequest("The catalogue has no such page.", errors=[error])
