"""From pages to a course: which modules and lessons there are, and where every link leads.

A chapter is a module. A chapter of several pages has a lesson per page; a chapter of one page has a lesson per
section, because a page of documentation takes an hour, and a learner wants to have finished something in ten minutes.
An introduction of a few lines is no lesson: it goes before the first section.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urljoin
from uuid import UUID

from services.content.domain import markup
from services.content.domain.documents.contents import join, urlsplit_or_none
from services.content.domain.documents.pages import Page, Part
from services.content.domain.slugs import free_slug, slugify

SHORT_INTRO_WORDS: Final = 100
"""Fewer words before the first section are no lesson of their own: half a minute of reading."""
SHORT_ENTRY_WORDS: Final = 30
"""A first page with fewer words only lists the others; the contents do that already."""
MAX_TITLE: Final = 200
"""Characters, as in the contract."""


@dataclass(frozen=True, slots=True)
class PlannedLesson:
    """A lesson to be. `key` names where it came from, and is what a later import recognises it by."""

    key: str
    page: str
    title: str
    slug: str
    html: str
    anchors: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PlannedModule:
    """A module to be."""

    key: str
    title: str
    lessons: tuple[PlannedLesson, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A place in a lesson."""

    lesson_key: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Outside:
    """An address out of the import."""

    url: str


class Dead:
    """Leads nowhere: out of the folder, a file that is not imported, a scheme that is not allowed."""


Destination = Target | Outside | Dead


@dataclass(frozen=True, slots=True)
class CoursePlan:
    """The whole course to be."""

    modules: tuple[PlannedModule, ...]
    base_url: str | None

    @property
    def lessons(self) -> Iterator[PlannedLesson]:
        """All lessons in their order."""
        return (lesson for module in self.modules for lesson in module.lessons)


def build(chapters: Sequence[Sequence[Page]], base_url: str | None) -> CoursePlan:
    """The course of `chapters`, each its pages in order. `base_url` is where the folder is published, or None."""
    slugs: set[str] = set()
    modules = [_module(pages, slugs) for pages in chapters]
    return CoursePlan(tuple(module for module in modules if module.lessons), base_url)


def _module(pages: Sequence[Page], slugs: set[str]) -> PlannedModule:
    parts = [(pages[0], part) for part in _by_section(pages[0])] if len(pages) == 1 else _by_page(pages)
    return PlannedModule(
        key=pages[0].path,
        title=titled(pages[0].title),
        lessons=tuple(_lesson(page, part, slugs) for page, part in parts if part.words),
    )


def _by_page(pages: Sequence[Page]) -> list[tuple[Page, Part]]:
    return [(page, page.whole) for page in pages]


def _by_section(page: Page) -> list[Part]:
    short = page.intro.words < SHORT_INTRO_WORDS
    if not page.sections or (short and len(page.sections) == 1):
        return [page.whole]
    if not short:
        return [page.intro, *page.sections]
    first = page.sections[0]
    return [first.after(page.intro), *page.sections[1:]]


def _lesson(page: Page, part: Part, slugs: set[str]) -> PlannedLesson:
    title = titled(part.title)
    slug = free_slug(slugify(title), slugs)
    slugs.add(slug)
    key = f"{page.path}#{part.key}" if part.key else page.path
    return PlannedLesson(key, page.path, title, slug, part.html, part.anchors, part.names)


def titled(text: str) -> str:
    """`text` as a title may be: one visible line of bounded length."""
    visible = "".join(character for character in text if character.isprintable()).strip()
    return visible[:MAX_TITLE].strip() or "Untitled"


class LinkMap:
    """Where each link of the imported pages leads."""

    def __init__(self, plan: CoursePlan) -> None:
        self._base_url = plan.base_url
        self._first: dict[str, str] = {}
        self._anchors: dict[tuple[str, str], Target] = {}
        for lesson in plan.lessons:
            self._first.setdefault(lesson.page, lesson.key)
            for anchor in lesson.anchors:
                self._anchors.setdefault((lesson.page, anchor), Target(lesson.key, anchor))
            for name in lesson.names:
                self._anchors.setdefault((lesson.page, name), Target(lesson.key))

    def follow(self, page: str, href: str) -> Destination:
        """Where `href` on `page` leads."""
        split = urlsplit_or_none(href)
        if split is None:
            return Dead()
        scheme, host, path, fragment = split
        if scheme or host:
            return Outside(href) if scheme in ("http", "https", "mailto") else Dead()
        target = join(page, unquote(path))
        if target in self._first:
            return self._inside(target, unquote(fragment))
        return self._beyond(page, href, target)

    def _inside(self, page: str, anchor: str) -> Destination:
        return self._anchors.get((page, anchor), Target(self._first[page]))

    def _beyond(self, page: str, href: str, target: str) -> Destination:
        if self._base_url is None or target.startswith(".."):
            return Dead()
        return Outside(urljoin(urljoin(self._base_url, page), href))


def own_file(page: str, src: str) -> str | None:
    """The path, in the folder, of what `src` on `page` shows; None for foreign addresses and `data:`."""
    split = urlsplit_or_none(src)
    if split is None or split[0] or split[1] or not split[2]:
        return None
    return join(page, unquote(split[2]))


class ImportedLinks:
    """The resolver of one imported lesson: lessons get their ids, pictures their uploaded address."""

    def __init__(
        self,
        lesson: PlannedLesson,
        links: LinkMap,
        ids: Mapping[str, UUID],
        pictures: Mapping[str, markup.Picture],
    ) -> None:
        self._lesson = lesson
        self._links = links
        self._ids = ids
        self._pictures = pictures

    def link(self, href: str) -> str | None:
        """The address of a link, in the form that `markup` keeps; what leads nowhere becomes text."""
        match self._links.follow(self._lesson.page, href):
            case Target(key, anchor):
                return self._to(key, anchor)
            case Outside(url):
                return url
            case Dead():
                return None

    def picture(self, src: str) -> markup.Picture | None:
        """The uploaded picture, if there is one."""
        path = own_file(self._lesson.page, src)
        return self._pictures.get(path) if path else None

    def _to(self, key: str, anchor: str) -> str:
        fragment = f"#{markup.prefixed(anchor)}" if anchor else ""
        same = key == self._lesson.key and fragment
        return fragment if same else f"/v1/lessons/{self._ids[key]}{fragment}"
