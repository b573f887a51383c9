"""What the pages show, decided from what content tells: outlines with marks, where to go on, headings of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote
from uuid import UUID

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.content.contract import Contents, LessonEntry, LessonKind, LessonProgress, ProgressState

HEADINGS_SHOWN = 24  # a longer list helps nobody to find their way


@dataclass(frozen=True)
class Lesson:
    """A lesson as a line of a contents list; `state` is None when it was never opened."""

    id: UUID
    slug: str
    title: str
    kind: LessonKind
    minutes: int
    url: str
    state: ProgressState | None
    locked: bool = False
    """It is for people who have the course, of whom the reader is none."""

    @property
    def completed(self) -> bool:
        """Whether the visitor has completed it."""
        return self.state == "completed"


@dataclass(frozen=True)
class Module:
    """A part of a course. `current` when the visitor's next lesson is in it."""

    id: UUID
    title: str
    lessons: tuple[Lesson, ...]
    current: bool

    @property
    def completed(self) -> int:
        """How many of its lessons are completed."""
        return sum(lesson.completed for lesson in self.lessons)


@dataclass(frozen=True)
class Outline:
    """The contents of a course as one visitor sees them."""

    modules: tuple[Module, ...]
    resume: Lesson | None
    """Where to go on: None when everything is completed, or there is nothing."""

    @cached_property
    def lessons(self) -> tuple[Lesson, ...]:
        """All lessons in reading order."""
        return tuple(lesson for module in self.modules for lesson in module.lessons)

    @property
    def first(self) -> Lesson:
        """The first lesson; IndexError in a course that has none."""
        return self.lessons[0]

    @property
    def total(self) -> int:
        """How many lessons there are."""
        return len(self.lessons)

    @property
    def completed(self) -> int:
        """How many lessons are completed."""
        return sum(lesson.completed for lesson in self.lessons)

    @property
    def percent(self) -> int:
        """0 to 100; 100 only when every lesson is completed."""
        return percent(self.completed, self.total)

    @property
    def locked(self) -> int:
        """How many lessons the reader may not open."""
        return sum(lesson.locked for lesson in self.lessons)

    @property
    def begun(self) -> bool:
        """Whether any lesson was opened."""
        return any(lesson.state for lesson in self.lessons)

    def neighbours(self, lesson_id: UUID) -> tuple[Lesson | None, Lesson | None]:
        """The lessons before and after one in reading order."""
        lessons = self.lessons
        place = next((i for i, lesson in enumerate(lessons) if lesson.id == lesson_id), None)
        if place is None:
            return None, None
        after = lessons[place + 1] if place + 1 < len(lessons) else None
        return (lessons[place - 1] if place else None), after


@dataclass(frozen=True)
class Heading:
    """A heading that can be linked to."""

    anchor: str
    text: str


def course_url(slug: str) -> str:
    """The course's page."""
    return f"/courses/{quote(slug, safe='')}"


def lesson_url(course_slug: str, lesson_slug: str) -> str:
    """The lesson's page."""
    return f"{course_url(course_slug)}/lessons/{quote(lesson_slug, safe='')}"


def percent(part: int, whole: int) -> int:
    """Rounded down, so that 100 means all; 0 of 0 is 0."""
    return 100 * part // whole if whole else 0


def outline(course_slug: str, contents: Contents, progress: Sequence[LessonProgress]) -> Outline:
    """Contents with the visitor's marks and the lesson to go on with."""
    states = {entry.lesson_id: entry.state for entry in progress}
    groups = [
        (module, tuple(_lesson(course_slug, lesson, states) for lesson in module.lessons))
        for module in contents.modules
    ]
    resume = _resume([lesson for _, lessons in groups for lesson in lessons], progress)
    modules = tuple(Module(m.id, m.title, lessons, current=resume in lessons) for m, lessons in groups)
    return Outline(modules, resume)


def _lesson(course_slug: str, lesson: LessonEntry, states: Mapping[UUID, ProgressState]) -> Lesson:
    url = lesson_url(course_slug, lesson.slug)
    return Lesson(
        lesson.id,
        lesson.slug,
        lesson.title,
        lesson.kind,
        lesson.minutes,
        url,
        states.get(lesson.id),
        lesson.locked,
    )


def _resume(lessons: Sequence[Lesson], progress: Sequence[LessonProgress]) -> Lesson | None:
    """From the lesson touched last onwards, the first that is not completed; else the first such at all."""
    touched = max(progress, key=lambda entry: entry.at, default=None)
    last = next((i for i, lesson in enumerate(lessons) if touched and lesson.id == touched.lesson_id), 0)
    return _first_open(lessons[last:]) or _first_open(lessons)


def _first_open(lessons: Iterable[Lesson]) -> Lesson | None:
    return next((lesson for lesson in lessons if not lesson.completed and not lesson.locked), None)


def headings(html: str) -> tuple[Heading, ...]:
    """A lesson's uppermost headings that carry an anchor, themselves or on their section."""
    tree = LexborHTMLParser(html)
    nodes = tree.css("h2") or tree.css("h3")
    found = (_heading(node) for node in nodes)
    return tuple(heading for heading in found if heading)[:HEADINGS_SHOWN]


def _heading(node: LexborNode) -> Heading | None:
    """Sphinx puts the anchor on the section around a heading; others put it on the heading."""
    around = node.parent.attributes.get("id") if node.parent and node.parent.tag == "section" else None
    anchor = node.attributes.get("id") or around
    for link in node.css(".headerlink"):
        link.decompose()
    text = " ".join(node.text().split())
    return Heading(anchor, text) if anchor and text else None
