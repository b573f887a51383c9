"""What an import would do: every page read and judged, before anything is written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from services.content.contract import MAX_LESSONS, MAX_MODULES
from services.content.domain import markup
from services.content.domain.documents import contents, pages, plan
from services.content.domain.documents.bounds import Unreadable, parsing
from services.content.usecases.importing.folder import Folder, Picture

MAX_PAGES: Final = 2000
"""Pages of one import; the whole of Python's documentation has about 500."""
MAX_CHARACTERS: Final = 60_000_000
"""Characters of all pages of one import, which are held in memory; Python's documentation has 50 million."""
MAX_PICTURES: Final = 5000
"""Pictures of one import: five a lesson, of as many lessons as a course may have."""
MAX_PICTURES_BYTES: Final = 1024**3
"""Bytes of all pictures of one import: each is read to be judged, and again to be stored."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a file: which rule it breaks, and what to do."""

    file: str
    rule: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}. Fix: {self.fix}."


class ImportRefused(Exception):
    """The folder cannot be imported. Nothing was changed."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Survey:
    """An import that may begin."""

    title: str
    language: str
    introduction: str
    """In plain words."""
    plan: plan.CoursePlan
    pictures: tuple[Picture, ...]
    warnings: tuple[Finding, ...]


@dataclass
class _Reader:
    """Reads pages once, and remembers what was wrong."""

    folder: Folder
    faults: list[Finding] = field(default_factory=list)
    texts: dict[str, str | None] = field(default_factory=dict)
    size: int = 0

    def page(self, path: str) -> pages.Page | None:
        text = self.text(path)
        if text is None:
            return None
        try:
            with parsing():
                return pages.parse(path, text)
        except Unreadable as error:
            self.faults.append(Finding(path, error.rule, error.fix))
            return None

    def text(self, path: str) -> str | None:
        """The text of a page; None when it is broken, which is noted once."""
        if path not in self.texts:
            self.texts[path] = self._read(path)
        return self.texts[path]

    def _read(self, path: str) -> str | None:
        try:
            text = self.folder.page(path)
        except Unreadable as error:
            self.faults.append(Finding(path, error.rule, error.fix))
            return None
        self.size += len(text)
        if self.size > MAX_CHARACTERS:
            rule = f"brings the pages to more than {MAX_CHARACTERS} characters"
            raise ImportRefused([Finding(path, rule, "import a part of it, or name another --entry")])
        return text


def survey(folder: Folder, entry: str | None, base_url: str | None, *, skip_broken: bool) -> Survey:
    """Read everything that `entry` lists; when it lists nothing, the pages beside and below it.

    Raises ImportRefused with every page that is broken; `skip_broken` makes those warnings and leaves them out.
    """
    reader = _Reader(folder)
    first = _entry_page(reader, entry)
    chapters = _chapters(reader, first.path)
    read = [found for paths in chapters if (found := [page for it in paths if (page := reader.page(it))])]
    if reader.faults and not skip_broken:
        raise ImportRefused(reader.faults)
    worth_reading = first.whole.words >= plan.SHORT_ENTRY_WORDS or not read
    planned = plan.build([[first], *read] if worth_reading else read, base_url)
    _check_size(first.path, planned)
    examined = _examine(folder, first.path, planned)
    return Survey(
        plan.titled(first.title),
        first.language,
        first.about,
        planned,
        examined.pictures,
        (*reader.faults, *examined.warnings),
    )


def _entry_page(reader: _Reader, entry: str | None) -> pages.Page:
    path = entry or "index.html"
    page = reader.page(path)
    if page is None:
        raise ImportRefused(reader.faults)
    return page


def _chapters(reader: _Reader, entry: str) -> list[list[str]]:
    """The pages of each chapter, in order; the entry page itself is not among them."""
    listed = contents.entries(entry, reader.text(entry) or "")
    if not listed:
        beside = entry.rpartition("/")[0]
        others = [path for path in reader.folder.pages(beside) if path != entry]
        listed = [contents.Entry(path) for path in others]
    _check_count(entry, len(listed))  # before any of them is opened
    taken = {entry, *(it.path for it in listed)}
    chapters = [[it.path, *_below(reader, it, taken)] for it in listed]
    _check_count(entry, sum(map(len, chapters)))
    return chapters


def _check_count(entry: str, pages: int) -> None:
    if pages > MAX_PAGES:
        fix = "import a part of it, or name another --entry"
        raise ImportRefused([Finding(entry, f"lists {pages} pages, more than {MAX_PAGES}", fix)])


def _below(reader: _Reader, chapter: contents.Entry, taken: set[str]) -> list[str]:
    """The pages below a chapter, depth first: those listed with it, then those that their own toctrees list."""
    found: list[str] = []
    waiting = [*chapter.below] or [*_children(reader, chapter.path)]
    while waiting and len(taken) <= MAX_PAGES:
        path = waiting.pop(0)
        if path in taken:
            continue
        taken.add(path)
        found.append(path)
        waiting = [*_children(reader, path), *waiting]
    return found


def _children(reader: _Reader, path: str) -> list[str]:
    text = reader.text(path)
    return contents.listed_below(path, text) if text else []


def _check_size(entry: str, planned: plan.CoursePlan) -> None:
    lessons = len(list(planned.lessons))
    if not lessons:
        fix = "name the page that has the table of contents with --entry"
        raise ImportRefused([Finding(entry, "leads to no text at all", fix)])
    if lessons > MAX_LESSONS or len(planned.modules) > MAX_MODULES:
        rule = f"makes {lessons} lessons in {len(planned.modules)} modules, more than {MAX_LESSONS} in {MAX_MODULES}"
        raise ImportRefused([Finding(entry, rule, "import a part of it, or name another --entry")])


@dataclass(frozen=True, slots=True)
class _Examination:
    """What the lessons refer to and lose."""

    pictures: tuple[Picture, ...]
    warnings: tuple[Finding, ...]


def _examine(folder: Folder, entry: str, planned: plan.CoursePlan) -> _Examination:
    links = plan.LinkMap(planned)
    shown: dict[str, str] = {}
    warnings: list[Finding] = []
    for lesson in planned.lessons:
        tree = LexborHTMLParser(lesson.html)
        images = [image.attrs.sget("src") for image in tree.css("img[src]")]
        own = {src: plan.own_file(lesson.page, src) for src in images}
        shown |= {path: lesson.page for path in own.values() if path and path not in shown}
        warnings += _lost(lesson, tree, links, [src for src, path in own.items() if not path])
    _check_pictures(folder, entry, shown)  # before any of them is opened
    pictures, broken = _pictures(folder, shown)
    return _Examination(tuple(pictures), (*warnings, *broken))


def _lost(
    lesson: plan.PlannedLesson, tree: LexborHTMLParser, links: plan.LinkMap, foreign: Sequence[str]
) -> Iterator[Finding]:
    """What of a lesson is left out, in a line each."""
    if foreign:
        rule = f"shows pictures from elsewhere ({_some(foreign)}), which are left out"
        yield Finding(lesson.key, rule, "put them into the folder")
    hrefs = dict.fromkeys(link.attrs.sget("href") for link in tree.css("a[href]"))
    dead = [href for href in hrefs if isinstance(links.follow(lesson.page, href), plan.Dead)]
    if dead:
        fix = "name the folder's address with --base-url, or correct them"
        yield Finding(lesson.key, f"has links that lead nowhere ({_some(dead)}), which become text", fix)
    active = sorted({node.tag or "" for node in tree.css(markup.ACTIVE)})
    if active:
        yield Finding(lesson.key, f"has {_some(active)}, which is left out", "say it in text or pictures")


def _some(values: Sequence[str]) -> str:
    """The first few of `values`, each in a bounded length that shows what is invisible."""
    shown = ", ".join(ascii(value[:60])[1:-1] for value in values[:3])
    return shown if len(values) <= 3 else f"{shown} and {len(values) - 3} more"


def _check_pictures(folder: Folder, entry: str, shown: Mapping[str, str]) -> None:
    if len(shown) > MAX_PICTURES:
        rule = f"leads to {len(shown)} pictures, more than {MAX_PICTURES}"
        raise ImportRefused([Finding(entry, rule, "import a part of it, or name another --entry")])
    size = sum(map(folder.picture_size, shown))
    if size > MAX_PICTURES_BYTES:
        rule = f"leads to pictures of {size} bytes in all, more than {MAX_PICTURES_BYTES}"
        raise ImportRefused([Finding(entry, rule, "make them smaller, or import a part of it")])


def _pictures(folder: Folder, shown: Mapping[str, str]) -> tuple[list[Picture], list[Finding]]:
    """The pictures that lessons show, and what is wrong with those that are left out."""
    found: list[Picture] = []
    broken: list[Finding] = []
    for path, page in shown.items():
        try:
            found.append(folder.picture(path))
        except Unreadable as error:
            broken.append(Finding(path, f"{error.rule}; the picture is left out of {page}", error.fix))
    return found, broken
