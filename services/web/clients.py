"""The services that web asks: content, over cluster DNS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx
import stamina
from prometheus_client import Counter
from pydantic import BaseModel

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
)
from services.web.settings import Settings
from suuupra import errors
from suuupra.pagination import Page
from suuupra.telemetry import http_client

FAULTS = Counter(
    "suuupra_web_content_faults_total",
    "Requests to content that got no answer or a fault of its own.",
    ["method"],
)
M = TypeVar("M", bound=BaseModel)
ANSWER_SECONDS = 3.0  # what one answer of content may take, and after which nothing is asked again
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 0.2
RETRIED_STATUSES = frozenset({502, 503, 504})
RETRY_AFTER_SECONDS = 5  # what a person is told to wait when content is away


class ContentAway(errors.Unavailable):
    """Content does not answer, or answers that it cannot."""

    slug = "content-away"
    title = "Courses are away for a moment"

    def __init__(self) -> None:
        super().__init__(
            "Courses cannot be read right now. Nothing is lost; try again in a few seconds.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


class _PassingFault(Exception):
    """A fault that a repeated GET may not meet again."""


class Content:
    """What web asks of content. A resource of the application: opened and closed with it."""

    name = "content"

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the pool; nothing is connected before the first request."""
        self._client = http_client(
            self._settings.url_content,
            timeout=ANSWER_SECONDS,
            transport=self._transport,
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._client:
            await self._client.aclose()

    async def check(self) -> None:
        """Always well: while content is away, web is still there to say so on a page of its own."""

    async def courses(self, query: str, cursor: str | None, limit: int) -> Page[CourseSummary]:
        """A page of published courses whose title matches."""
        params = {"q": query, "cursor": cursor or "", "limit": str(limit)}
        try:
            return await self._get(Page[CourseSummary], "/v1/courses", {k: v for k, v in params.items() if v})
        except errors.BadRequest as refusal:
            raise _no_such_page() from refusal

    async def course(self, course: str) -> CourseDetails:
        """A published course by slug or id; NotFound."""
        return await self._get(CourseDetails, f"/v1/courses/{_segment(course)}")

    async def contents(self, course: str) -> Contents:
        """The modules and lessons of a published course; NotFound."""
        return await self._get(Contents, f"/v1/courses/{_segment(course)}/contents")

    async def lesson(self, course: str, lesson: str) -> LessonPage:
        """A lesson of a course, each by slug or id; NotFound."""
        return await self._get(LessonPage, f"/v1/courses/{_segment(course)}/lessons/{_segment(lesson)}")

    async def progress(self, visitor: UUID, course_id: UUID) -> list[LessonProgress]:
        """What a visitor has opened and completed in a course."""
        path = f"/internal/v1/visitors/{visitor}/progress"
        return (await self._get(CourseProgressItems, path, {"course": str(course_id)})).items

    async def visited(self, visitor: UUID) -> list[CourseProgress]:
        """The courses a visitor has opened, latest first."""
        return (await self._get(CourseProgressList, f"/internal/v1/visitors/{visitor}/courses")).items

    async def record(self, visitor: UUID, lesson_id: UUID, state: ProgressState) -> LessonProgress:
        """Note that a visitor opened or completed a lesson. A PUT: doing it twice is doing it once."""
        path = f"/internal/v1/visitors/{visitor}/progress/{lesson_id}"
        change = ProgressUpdate(state=state).model_dump(mode="json")
        return LessonProgress.model_validate_json((await self._ask("PUT", path, json=change)).content)

    async def _get(self, model: type[M], path: str, params: Mapping[str, str] | None = None) -> M:
        return model.model_validate_json((await self._ask("GET", path, params=params)).content)

    async def _ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: object = None
    ) -> httpx.Response:
        """An answer below 400, asked for up to ATTEMPTS times; every method here is idempotent."""
        retries = stamina.retry_context(
            on=_PassingFault,
            attempts=ATTEMPTS,
            timeout=ANSWER_SECONDS,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=FIRST_WAIT_SECONDS,
        )
        try:
            async for attempt in retries:
                with attempt:
                    return await self._ask_once(method, path, params, json)
        except _PassingFault as fault:
            raise ContentAway from fault
        raise AssertionError("a retry context ends by an answer or an error")

    async def _ask_once(
        self, method: str, path: str, params: Mapping[str, str] | None, json: object
    ) -> httpx.Response:
        if self._client is None:
            raise RuntimeError("Content.open() was not awaited")
        try:
            response = await self._client.request(method, path, params=params, json=json)
        except httpx.TransportError as error:
            FAULTS.labels(method).inc()
            raise _PassingFault(str(error)) from error
        if response.status_code >= 500:
            FAULTS.labels(method).inc()
        if response.status_code in RETRIED_STATUSES:
            raise _PassingFault(f"content answered {response.status_code}")
        _refuse(response)
        return response


def _segment(value: str) -> str:
    """One path segment, so that a slug cannot lead to another resource; dots would be resolved on the way."""
    if value in (".", ".."):
        raise _nothing_there()
    return quote(value, safe="")


def _nothing_there() -> errors.NotFound:
    return errors.NotFound("There is no such course or lesson.")


def _no_such_page() -> errors.BadRequest:
    """Words and limit are checked here already: what content refuses of a search is the place it goes on from."""
    error = errors.FieldError(
        "query.cursor", "must come from a link of the catalogue", "start from the catalogue"
    )
    return errors.BadRequest("The catalogue has no such page.", errors=[error])


def _refuse(response: httpx.Response) -> None:
    """Content's refusals in our words; 5xx means that it is away for us."""
    match response.status_code:
        case status if status < 400:
            return
        case 404 | 410:
            raise _nothing_there()
        case 429:
            raise errors.TooManyRequests(
                "Too many requests.", headers={"Retry-After": response.headers.get("Retry-After", "1")}
            )
        case status if status < 500:
            raise errors.BadRequest(
                "The address holds something that cannot be used. Start from the catalogue."
            )
        case _:
            raise ContentAway
