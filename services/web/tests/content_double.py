"""Content's side of the wire for unit tests: answers with the contract's own models, at the transport only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import httpx
from pydantic import BaseModel

from services.content.contract import (
    Contents,
    CourseDetails,
    CourseProgress,
    CourseProgressItems,
    CourseProgressList,
    CourseSummary,
    LessonEntry,
    LessonPage,
    LessonProgress,
    Merged,
    ModuleEntry,
    Neighbour,
    ProgressUpdate,
)
from services.web.tests.switchboard import Who, problem

NAMESPACE = UUID("0198c5a4-7d3e-7c1a-9c55-0242ac120002")
EPOCH = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HTML = '<section id="s-first"><h2>First steps</h2><p>Text.</p></section><h2 id="s-second">Second steps</h2>'


def an_id(*names: str) -> UUID:
    """The same id for the same names."""
    return uuid5(NAMESPACE, "/".join(names))


class CourseDouble:
    """One published course; `modules` names its lessons: {"Module title": ["lesson-slug", …]}.

    With `preview` only so many of its lessons are for everybody.
    """

    def __init__(
        self,
        slug: str,
        title: str,
        modules: dict[str, list[str]],
        html: str = HTML,
        preview: int | None = None,
    ) -> None:
        self.slug, self.title, self.html = slug, title, html
        self.preview = preview
        self.id = an_id(slug)
        self.modules = [
            ModuleEntry(id=an_id(slug, name), title=name, lessons=[self._entry(lesson) for lesson in lessons])
            for name, lessons in modules.items()
        ]

    def _entry(self, slug: str) -> LessonEntry:
        title = slug.replace("-", " ").capitalize()
        return LessonEntry(id=an_id(self.slug, slug), slug=slug, title=title, kind="article", minutes=7)

    @property
    def lessons(self) -> list[LessonEntry]:
        """All lessons in order."""
        return [lesson for module in self.modules for lesson in module.lessons]

    def lesson(self, key: str) -> LessonEntry | None:
        """A lesson by slug or id."""
        return next((entry for entry in self.lessons if key in (entry.slug, str(entry.id))), None)

    def summary(self) -> CourseSummary:
        """The course in the catalogue."""
        return CourseSummary.model_validate(self.details().model_dump())

    def details(self) -> CourseDetails:
        """The course's own page."""
        return CourseDetails(
            id=self.id, slug=self.slug, title=self.title, summary=f"About {self.title}.", language="en",
            lesson_count=len(self.lessons), minutes=7 * len(self.lessons), published_at=EPOCH, licence="PSF-2.0",
            source="https://docs.python.org/3/", description="One paragraph.\n\nAnother.",
            outcomes=["Write a program"], revision=1, access="open" if self.preview is None else "entitled",
            preview_lessons=self.preview or 0,
        )  # fmt: skip

    def contents(self, entitled: bool = True) -> Contents:
        """The table of contents."""
        modules = self.modules if entitled else [self._locked(module) for module in self.modules]
        return Contents(course_id=self.id, slug=self.slug, title=self.title, revision=1, modules=modules)

    def locks(self, lesson: LessonEntry) -> bool:
        """Whether the lesson is only for who has the course."""
        return self.preview is not None and self.lessons.index(lesson) >= self.preview

    def _locked(self, module: ModuleEntry) -> ModuleEntry:
        lessons = [lesson.model_copy(update={"locked": self.locks(lesson)}) for lesson in module.lessons]
        return module.model_copy(update={"lessons": lessons})

    def page(self, lesson: LessonEntry) -> LessonPage:
        """A lesson as learners read it."""
        place = self.lessons.index(lesson)
        module = next(module for module in self.modules if lesson in module.lessons)
        return LessonPage(
            **lesson.model_dump(), course_id=self.id, course_slug=self.slug, course_title=self.title, revision=1,
            module_id=module.id, module_title=module.title, number=place + 1, count=len(self.lessons),
            html=self.html, previous=None, next=None,
        )  # fmt: skip


class ContentDouble:
    """Courses and what visitors did. `failing` maps a path's beginning to a status or an error to raise."""

    def __init__(self, courses: Iterable[CourseDouble] = (), who: Who | None = None) -> None:
        self.courses = list(courses)
        self.who = who or (lambda _: None)
        self.entitled: set[tuple[UUID | None, UUID]] = set()
        self.progress: dict[UUID, list[LessonProgress]] = {}
        self.requests: list[httpx.Request] = []
        self.failing: dict[str, int | Exception] = {}

    def transport(self) -> httpx.MockTransport:
        """What the client is given instead of the network."""
        return httpx.MockTransport(self._answer)

    def asked(self, method: str, beginning: str = "/") -> list[str]:
        """The paths asked for so far."""
        return [r.url.path for r in self.requests if r.method == method and r.url.path.startswith(beginning)]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for beginning, fault in self.failing.items():
            if request.url.path.startswith(beginning):
                if isinstance(fault, Exception):
                    raise fault
                return httpx.Response(fault)
        if self._refuses(request):
            return problem(403, "not-entitled", "This lesson needs an entitlement to its course.")
        body = self._body(request)
        return httpx.Response(404) if body is None else httpx.Response(200, text=body)

    def _refuses(self, request: httpx.Request) -> bool:
        found = re.fullmatch(r"/v1/courses/([^/]+)/lessons/([^/]+)", request.url.path)
        course = self._course(found[1]) if found else None
        lesson = course.lesson(found[2]) if course and found else None
        return bool(course and lesson and course.locks(lesson) and not self._may(request, course))

    def _may(self, request: httpx.Request, course: CourseDouble) -> bool:
        return course.preview is None or (self.who(request), course.id) in self.entitled

    def _course(self, key: str) -> CourseDouble | None:
        return next((c for c in self.courses if key in (c.slug, str(c.id))), None)

    def _body(self, request: httpx.Request) -> str | None:
        path, params = request.url.path, request.url.params
        if path.startswith("/v1/progress"):
            user = self.who(request)
            path = path.replace("/v1/progress/courses", f"/internal/v1/visitors/{user}/courses")
            path = path.replace("/v1/progress", f"/internal/v1/visitors/{user}/progress")
        if found := re.fullmatch(r"/internal/v1/visitors/([^/]+)/merge", path):
            return _json(self._merge(UUID(found[1]), self.who(request)))
        if path == "/v1/courses":
            return self._catalogue(params)
        if found := re.fullmatch(r"/v1/courses/([^/]+)(?:/(contents|lessons/([^/]+)))?", path):
            return _json(self._of_course(request, found[1], found[2], found[3]))
        if found := re.fullmatch(r"/internal/v1/visitors/([^/]+)/progress/([^/]+)", path):
            return _json(self._record(UUID(found[1]), UUID(found[2]), request.content))
        if found := re.fullmatch(r"/internal/v1/visitors/([^/]+)/(progress|courses)", path):
            return _json(self._of_visitor(UUID(found[1]), found[2], params.get("course")))
        return None

    def _catalogue(self, params: httpx.QueryParams) -> str:
        start, limit = int(params.get("cursor", "0")), int(params["limit"])
        found = [c.summary() for c in self.courses if params.get("q", "").lower() in c.title.lower()]
        after = str(start + limit) if len(found) > start + limit else None
        items = ",".join(item.model_dump_json() for item in found[start : start + limit])
        return f'{{"items":[{items}],"next":{"null" if after is None else chr(34) + after + chr(34)}}}'

    def _of_course(
        self, request: httpx.Request, key: str, part: str | None, lesson_key: str | None
    ) -> BaseModel | None:
        course = self._course(key)
        if course is None:
            return None
        if part is None:
            return course.details()
        if lesson_key is None:
            return course.contents(self._may(request, course))
        lesson = course.lesson(lesson_key)
        return lesson and course.page(lesson)

    def _merge(self, visitor: UUID, user: UUID | None) -> Merged:
        moved = self.progress.pop(visitor, [])
        if user is not None:
            self.progress.setdefault(user, []).extend(moved)
        return Merged(lessons=len(moved))

    def _record(self, visitor: UUID, lesson_id: UUID, body: bytes) -> LessonProgress:
        update = ProgressUpdate.model_validate_json(body)
        course = next(c for c in self.courses if lesson_id in [lesson.id for lesson in c.lessons])
        kept = self.progress.setdefault(visitor, [])
        known = next((entry for entry in kept if entry.lesson_id == lesson_id), None)
        if known and known.state == "completed":
            return known
        if known:
            kept.remove(known)
        entry = LessonProgress(
            lesson_id=lesson_id, course_id=course.id, state=update.state, position=update.position,
            at=EPOCH + timedelta(seconds=len(self.requests)),
        )  # fmt: skip
        kept.append(entry)
        return entry

    def _of_visitor(self, visitor: UUID, what: str, course_id: str | None) -> BaseModel:
        entries = self.progress.get(visitor, [])
        if what == "progress":
            return CourseProgressItems(items=[e for e in entries if course_id in (None, str(e.course_id))])
        begun = [course for course in self.courses if any(e.course_id == course.id for e in entries)]
        return CourseProgressList(items=[self._course_progress(course, entries) for course in begun])

    def _course_progress(self, course: CourseDouble, entries: list[LessonProgress]) -> CourseProgress:
        own = [entry for entry in entries if entry.course_id == course.id]
        last = next(lesson for lesson in course.lessons if lesson.id == own[-1].lesson_id)
        return CourseProgress(
            course=course.summary(), completed=sum(entry.state == "completed" for entry in own),
            last_lesson=Neighbour(id=last.id, slug=last.slug, title=last.title), at=own[-1].at,
        )  # fmt: skip


def _json(model: BaseModel | None) -> str | None:
    return model.model_dump_json() if model else None
