"""A course as its creator is writing it: the draft. What learners read is a published revision of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, assert_never
from uuid import UUID

from services.content.domain.markup import text_of
from services.content.domain.media import VIDEOS, Media

WORDS_PER_MINUTE: Final = 180
"""Reading speed for technical text (Brysbaert 2019 gives 238 for plain non-fiction; listings slow readers down)."""


@dataclass(frozen=True, slots=True)
class Article:
    """A text to read."""

    html: str


@dataclass(frozen=True, slots=True)
class Video:
    """A film of `seconds`, with a text beside it."""

    media: Media
    seconds: int
    html: str


@dataclass(frozen=True, slots=True)
class File:
    """Something to take home, with a text beside it."""

    media: Media
    html: str


Body = Article | Video | File
Kind = Literal["article", "video", "file"]
Access = Literal["open", "entitled"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson of a draft. `html_hash` names the stored text."""

    id: UUID
    slug: str
    title: str
    minutes: int
    html_hash: str
    body: Body

    @property
    def kind(self) -> Kind:
        """What readers and the contract call it."""
        match self.body:
            case Article():
                return "article"
            case Video():
                return "video"
            case File():
                return "file"
            case _:
                assert_never(self.body)

    @property
    def media(self) -> Media | None:
        """The file it is about, if any."""
        return None if isinstance(self.body, Article) else self.body.media


@dataclass(frozen=True, slots=True)
class Module:
    """A module of a draft."""

    id: UUID
    title: str
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """A whole draft, in order."""

    id: UUID
    owner: str
    slug: str
    title: str
    summary: str
    description: str
    language: str
    outcomes: tuple[str, ...]
    licence: str | None
    source: str | None
    modules: tuple[Module, ...]
    access: Access = "open"
    preview_lessons: int = 0

    @property
    def lessons(self) -> Iterator[tuple[Module, Lesson]]:
        """All lessons in their order, each with its module."""
        return ((module, lesson) for module in self.modules for lesson in module.lessons)

    def locks(self, number: int) -> bool:
        """Whether its lesson `number`, from 1, is only for those who are entitled to the course."""
        return self.access == "entitled" and number > self.preview_lessons

    @property
    def minutes(self) -> int:
        """The time all lessons take."""
        return sum(lesson.minutes for _, lesson in self.lessons)


def minutes_of(html: str, seconds: int = 0) -> int:
    """How long a lesson takes: reading its text and watching its film. At least 1."""
    words = len(text_of(html).split())
    return max(1, round(words / WORDS_PER_MINUTE + seconds / 60))


def fits(kind: Kind, media: Media) -> bool:
    """Whether a lesson of `kind` can be about `media`: a video lesson needs a film."""
    return kind == "file" or (kind == "video" and media.content_type in VIDEOS)


@dataclass(frozen=True, slots=True)
class Misplaced:
    """An order that cannot be taken: where, which rule, what to do."""

    where: str
    rule: str
    fix: str


def check_order(wanted: Sequence[tuple[UUID, Sequence[UUID]]], current: Course) -> list[Misplaced]:
    """What is wrong with a wanted order: it must name each module and each lesson of the course exactly once."""
    modules = [module for module, _ in wanted]
    lessons = [lesson for _, inside in wanted for lesson in inside]
    return [
        *_differences("modules", modules, {module.id for module in current.modules}),
        *_differences("lessons", lessons, {lesson.id for _, lesson in current.lessons}),
    ]


def _differences(what: str, wanted: Sequence[UUID], present: set[UUID]) -> Iterator[Misplaced]:
    twice = sorted(item for item, times in Counter(wanted).items() if times > 1)
    if twice:
        yield Misplaced(what, f"must name each once, but names {twice[0]} again", "name it once")
    unknown = sorted(set(wanted) - present)
    if unknown:
        yield Misplaced(what, f"must be of this course, but {unknown[0]} is not", "read the course again")
    missing = sorted(present - set(wanted))
    if missing:
        yield Misplaced(what, f"must be complete, but {missing[0]} is missing", "read the course again")
