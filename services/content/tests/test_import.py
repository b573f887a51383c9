"""Imports end to end: the command in a process of its own, on real servers."""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import httpx
import pytest
import yaml
from sqlalchemy import text

from services.content.domain.authors import PLATFORM
from services.content.tests import pictures
from services.content.tests.author import COURSES, Author
from suuupra.db import Database
from suuupra.testing import forking

pytestmark = pytest.mark.integration

_PLACES = (
    os.environ.get("SUUUPRA_PYTHON_DOCS", ""),
    "/usr/share/doc/python3/html",
    "/usr/local/share/documents/python",
)
WORDS = "word " * 120
MANIFEST = Path(__file__).parents[3] / "manifests" / "services" / "content.yaml"


@pytest.fixture
def python_docs() -> Path:
    """Python's own documentation, from Debian's package python3-doc. Its absence is a fault, not a reason to skip."""
    found = next(
        (Path(place) for place in _PLACES if place and Path(place, "tutorial/index.html").is_file()), None
    )
    if found is None:
        pytest.fail(
            "Python's documentation is missing: apt-get install python3-doc, or set SUUUPRA_PYTHON_DOCS"
        )
    return found


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of eight short chapters with a picture in each."""
    chapters = range(1, 9)
    items = "".join(f"<li><a href='c{n}.html'>C{n}</a></li>" for n in chapters)
    (tmp_path / "index.html").write_text(f"<main><h1>Book</h1><p>{WORDS}</p><ul>{items}</ul></main>")
    for n in chapters:
        (tmp_path / f"c{n}.html").write_text(chapter(n))
        (tmp_path / f"p{n}.png").write_bytes(pictures.png(n, n))
    return tmp_path


def chapter(n: int, words: str = WORDS) -> str:
    link = f"<a href='c{n % 8 + 1}.html#top'>next</a>"
    return f"<main><h1>Chapter {n}</h1><p id='top'>{words} {link} <img src='p{n}.png' alt='P'></p></main>"


class Command:
    """`python -m suuupra content import`, with a pod's environment."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = {**os.environ, **environment, "NO_COLOR": "1"}
        self._folder = folder

    def start(self, *arguments: str | Path, out: IO[Any], err: IO[Any]) -> forking.Process:
        line = ("suuupra", "content", "import", *map(str, arguments))
        return forking.start(*line, environment=self._environment, out=out.fileno(), err=err.fileno())

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Exit code, what it said, what it complained of."""
        said = [self._folder / f"{uuid4().hex}.{name}" for name in ("out", "err")]
        with (
            said[0].open("wb") as out,
            said[1].open("wb") as err,
            self.start(*arguments, out=out, err=err) as process,
        ):
            code = process.wait(120)
        return code, said[0].read_text(), said[1].read_text()


@pytest.fixture
def command(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(environment, tmp_path_factory.mktemp("said"))


async def numbers(database: Database) -> dict[str, int]:
    """How many rows there are of what an import makes."""
    names = ("course", "module", "lesson", "media", "revision", "shown_lesson")
    async with database.reading() as tx:
        return {name: await tx.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in names}


async def test_the_python_tutorial_becomes_a_course(
    python_docs: Path, command: Command, database: Database, reader: httpx.AsyncClient
) -> None:
    code, out, err = command.run(
        *(
            python_docs,
            "--entry",
            "tutorial/index.html",
            "--publish",
            "--base-url",
            "https://docs.python.org/3/",
        )
    )
    assert (code, err) == (0, ""), err
    assert "published as revision 1" in out
    (course,) = (await reader.get("/v1/courses", params={"q": "python tut"})).json()["items"]
    contents = (await reader.get(f"/v1/courses/{course['slug']}/contents")).json()
    titles = [module["title"] for module in contents["modules"]]
    assert titles[0] == "The Python Tutorial"
    assert [re.match(r"\d+", title)[0] for title in titles[1:]] == [str(n) for n in range(1, 17)]  # type: ignore[index]
    entries = [lesson for module in contents["modules"] for lesson in module["lessons"]]
    assert course["lesson_count"] == len(entries) >= 75
    await _every_link_leads_somewhere(reader, course["slug"], [entry["slug"] for entry in entries])


async def test_the_tutorial_that_make_up_imports_opens_its_first_four_lessons_to_everybody(
    python_docs: Path, command: Command, reader: httpx.AsyncClient, author_of_role: Callable[..., Author]
) -> None:
    """With the very arguments of the resource's job; and whoever runs the platform manages it."""
    (job,) = yaml.safe_load(MANIFEST.read_text())["spec"]["jobs"]
    code, _, err = command.run(python_docs, *job["args"][3:])
    assert code == 0, err
    (course,) = (await reader.get("/v1/courses")).json()["items"]
    assert (course["title"], course["access"], course["preview_lessons"]) == (
        "The Python Tutorial",
        "entitled",
        4,
    )
    contents = (await reader.get(f"/v1/courses/{course['id']}/contents")).json()
    lessons = [lesson for module in contents["modules"] for lesson in module["lessons"]]
    assert [it["locked"] for it in lessons] == [False] * 4 + [True] * (len(lessons) - 4)
    statuses = [(await reader.get(f"/v1/lessons/{it['id']}")).status_code for it in lessons[:6]]
    assert statuses == [200] * 4 + [403] * 2
    operator, creator = author_of_role("operator"), author_of_role("creator")
    path = f"{COURSES}/{course['id']}"
    draft = await operator.get(path)
    assert (draft.status_code, draft.json()["owner"]) == (200, PLATFORM)
    assert (await creator.get(path)).status_code == 404
    assert (await creator.get(COURSES)).json()["items"] == []
    about = {"title": "The Tutorial", "licence": "PSF"}
    assert (await operator.put(path, about, match='"1"')).status_code == 412
    assert (await operator.put(path, about, match=draft.headers["ETag"])).status_code == 200
    assert (await operator.get(f"{path}/statistics")).status_code == 200
    assert (await operator.act(f"{path}/unpublish")).status_code == 200
    assert (await reader.get("/v1/courses")).json()["items"] == []
    # The next `make up` finds the course that the operator edited, and shows it again.
    assert command.run(python_docs, *job["args"][3:])[0] == 0
    (again,) = (await operator.get(COURSES)).json()["items"]
    assert (again["id"], again["title"], again["owner"]) == (course["id"], "The Python Tutorial", PLATFORM)
    assert again["shown_revision"] is not None


async def _every_link_leads_somewhere(reader: httpx.AsyncClient, course: str, slugs: Sequence[str]) -> None:
    pages = {slug: (await reader.get(f"/v1/courses/{course}/lessons/{slug}")).json() for slug in slugs}
    ids = {slug: set(re.findall(r' id="([^"]+)"', page["html"])) for slug, page in pages.items()}
    inside = 0
    for slug, page in pages.items():
        assert page["html"], slug
        assert "<script" not in page["html"]
        for href in re.findall(r' href="([^"]+)"', page["html"]):
            target, _, anchor = href.partition("#")
            if target.startswith("/"):
                inside += 1
                target = target.removeprefix(f"/courses/{course}/lessons/")
                assert not anchor or anchor in ids[target], f"{slug} links to {href}"
            else:
                assert href.startswith(("https://", "http://", "mailto:")) or anchor in ids[slug], (
                    f"{slug} links to {href}"
                )
    assert inside > 25


async def test_a_second_import_changes_nothing(
    book: Path, command: Command, database: Database, reader: httpx.AsyncClient
) -> None:
    assert "9 lessons, 9 written, 0 removed, 8 pictures" in command.run(book, "--publish")[1]
    before, course = await numbers(database), (await reader.get("/v1/courses")).json()
    assert (
        "9 lessons, 0 written, 0 removed, 8 pictures; published as revision 1"
        in command.run(book, "--publish")[1]
    )
    assert await numbers(database) == before
    assert (await reader.get("/v1/courses")).json() == course


async def test_only_what_changed_is_written(book: Path, command: Command, reader: httpx.AsyncClient) -> None:
    command.run(book, "--publish")
    slug = (await reader.get("/v1/courses")).json()["items"][0]["slug"]
    before = (await reader.get(f"/v1/courses/{slug}/lessons/chapter-5")).json()
    (book / "c5.html").write_text(chapter(5, WORDS + "new"))
    (book / "c8.html").unlink()
    index = (book / "index.html").read_text()
    (book / "index.html").write_text(index.replace("<li><a href='c8.html'>C8</a></li>", ""))
    _, out, _ = command.run(book, "--publish")
    # Besides chapter 5: the first page, which listed the one that is gone, and chapter 7, which linked to it.
    assert "8 lessons, 3 written, 1 removed, 7 pictures; published as revision 2" in out
    after = (await reader.get(f"/v1/courses/{slug}/lessons/chapter-5")).json()
    assert after["id"] == before["id"]
    assert (await reader.get(f"/v1/courses/{slug}/lessons/chapter-8")).status_code == 404


async def test_pictures_and_links_are_readable_afterwards(
    book: Path, command: Command, reader: httpx.AsyncClient
) -> None:
    command.run(book, "--publish")
    slug = (await reader.get("/v1/courses")).json()["items"][0]["slug"]
    html = (await reader.get(f"/v1/courses/{slug}/lessons/chapter-3")).json()["html"]
    picture = re.search(r'<img src="([^"]+)" alt="P" width="3" height="3" loading="lazy">', html)
    assert picture is not None, html
    assert (await reader.get(picture[1])).content == pictures.png(3, 3)
    assert f'href="/courses/{slug}/lessons/chapter-4#s-top"' in html


@pytest.mark.parametrize("line", ["pictures 3/", "lessons 4/", "lessons 9/"])
async def test_an_import_that_was_killed_goes_on(
    book: Path, command: Command, database: Database, reader: httpx.AsyncClient, line: str
) -> None:
    reading, writing = os.pipe()
    with (
        os.fdopen(reading) as said,
        os.fdopen(writing, "w") as pipe,
        command.start(book, "--publish", out=pipe, err=pipe) as process,
    ):
        pipe.close()
        _read_until(said, line)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    shown = (await reader.get("/v1/courses")).json()["items"]
    code, out, err = command.run(book, "--publish")
    assert (code, err) == (0, "")
    assert "9 lessons" in out
    assert await numbers(database) == {
        "course": 1,
        "module": 9,
        "lesson": 9,
        "media": 8,
        "revision": 1,
        "shown_lesson": 9,
    }
    assert shown == [] or line == "lessons 9/"  # nothing of a half is ever shown
    async with database.reading() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM outbox")) == 1


def _read_until(lines: IO[str], start: str) -> None:
    for line in _lines(lines):
        if line.startswith(start):
            return
    pytest.fail(f"the import never said {start!r}")


def _lines(stream: IO[str]) -> Iterator[str]:
    while line := stream.readline():
        yield line


async def test_two_imports_at_once_make_one_course(book: Path, command: Command, database: Database) -> None:
    runs = await asyncio.gather(*(asyncio.to_thread(command.run, book, "--publish") for _ in range(2)))
    assert [(code, err) for code, _, err in runs] == [(0, ""), (0, "")]
    counted = await numbers(database)
    assert (counted["course"], counted["lesson"], counted["media"]) == (1, 9, 8)


async def test_a_broken_folder_is_refused_and_changes_nothing(
    book: Path, command: Command, database: Database
) -> None:
    (book / "c3.html").write_bytes(b"\xff\xfe\xff")
    (book / "c5.html").unlink()
    code, out, err = command.run(book, "--publish")
    assert (code, out) == (1, "")
    assert "c3.html: is not valid utf-16" in err
    assert "c5.html: does not exist" in err
    assert err.count("Fix: ") == 2
    assert set((await numbers(database)).values()) == {0}


async def test_a_broken_folder_leaves_an_earlier_course_alone(
    book: Path, command: Command, database: Database
) -> None:
    command.run(book, "--publish")
    before = await numbers(database)
    (book / "index.html").write_bytes(b"\xff\xfe\xff")
    assert command.run(book, "--publish")[0] == 1
    assert await numbers(database) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--title", "x" * 201], "--title: "),
        (["--source", "ftp://x"], "--source: "),
        (["--entry", "none.html"], "none.html: does not exist"),
    ],
)
async def test_wrong_options_are_named(
    book: Path, command: Command, database: Database, arguments: list[str], complaint: str
) -> None:
    code, _, err = command.run(book, *arguments)
    assert code == 1
    assert complaint in err
    assert set((await numbers(database)).values()) == {0}


async def test_a_book_may_be_imported_for_an_account_which_manages_it(
    book: Path, command: Command, author_of_role: Callable[..., Author]
) -> None:
    account = uuid4()
    code, _, err = command.run(book, "--owner", str(account), "--publish")
    assert (code, err) == (0, "")
    (course,) = (await author_of_role("creator", str(account)).get(COURSES)).json()["items"]
    assert (course["title"], course["owner"]) == ("Book", str(account))
    assert (await author_of_role("creator").get(COURSES)).json()["items"] == []


async def test_an_owner_that_is_no_account_is_refused(
    book: Path, command: Command, database: Database
) -> None:
    code, _, err = command.run(book, "--owner", "ira@suuupra.example", "--publish")
    assert code == 2
    assert "--owner" in err
    assert set((await numbers(database)).values()) == {0}


async def test_a_dry_run_changes_nothing(book: Path, command: Command, database: Database) -> None:
    code, out, _ = command.run(book, "--dry-run")
    assert code == 0
    assert "9 lessons, 8 pictures. Nothing was changed." in out
    assert set((await numbers(database)).values()) == {0}


async def test_a_book_is_imported_with_a_preview_and_keeps_it_when_it_is_imported_without_a_word_of_it(
    command: Command, book: Path, reader: httpx.AsyncClient
) -> None:
    told = ("--access=entitled", "--preview-lessons=4", "--publish")
    code, _, err = command.run(book, *told)
    assert code == 0, err
    assert command.run(book, "--publish")[0] == 0
    (course,) = (await reader.get("/v1/courses")).json()["items"]
    assert (course["access"], course["preview_lessons"]) == ("entitled", 4)
    contents = (await reader.get(f"/v1/courses/{course['id']}/contents")).json()
    lessons = [lesson for module in contents["modules"] for lesson in module["lessons"]]
    assert [it["locked"] for it in lessons] == [False] * 4 + [True] * (len(lessons) - 4)
    statuses = [(await reader.get(f"/v1/lessons/{it['id']}")).status_code for it in lessons]
    assert statuses == [200] * 4 + [403] * (len(lessons) - 4)


@pytest.mark.parametrize(
    ("option", "named"), [("--access=secret", "--access"), ("--preview-lessons=-1", "--preview-lessons")]
)
def test_wrong_access_names_its_option(command: Command, book: Path, option: str, named: str) -> None:
    code, _, err = command.run(book, option, "--dry-run")
    assert code == 1
    assert named in err
