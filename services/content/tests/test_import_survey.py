"""What the importer makes of folders: honest ones, broken ones, hostile ones. Nothing is written yet."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.content.domain.documents.bounds import MAX_BYTES, MAX_DEPTH, Unreadable
from services.content.domain.documents.plan import Dead, LinkMap, Outside, Target
from services.content.tests import pictures
from services.content.usecases.importing import folder as folders
from services.content.usecases.importing import survey as surveys
from services.content.usecases.importing.folder import Folder
from services.content.usecases.importing.survey import ImportRefused, Survey, survey

WORDS = "word " * 120


def page(title: str, body: str) -> str:
    return f"<html lang='en'><head><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"


INDEX = page("Book", f"<p>{WORDS}</p><ul><li><a href='a.html'>A</a></li><li><a href='b.html'>B</a></li></ul>")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of two chapters; the second has two sections and a picture."""
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "a.html").write_text(page("A", f"<p id='top'>{WORDS}<a href='b.html#two'>on</a></p>"))
    sections = f"<h2 id='one'>One</h2><p>{WORDS}</p><h2 id='two'>Two</h2><p>{WORDS}<img src='p.png'></p>"
    (tmp_path / "b.html").write_text(page("B", sections))
    (tmp_path / "p.png").write_bytes(pictures.png(4, 3))
    return tmp_path


def look(
    folder: Path, entry: str | None = None, base: str | None = None, *, skip_broken: bool = False
) -> Survey:
    return survey(Folder(folder), entry, base, skip_broken=skip_broken)


def outline(found: Survey) -> list[tuple[str, list[str]]]:
    return [(module.title, [lesson.title for lesson in module.lessons]) for module in found.plan.modules]


def test_chapters_become_modules_and_sections_lessons(book: Path) -> None:
    assert outline(look(book)) == [("Book", ["Book"]), ("A", ["A"]), ("B", ["One", "Two"])]


def test_a_short_introduction_goes_before_the_first_section(book: Path) -> None:
    body = f"<p>Read this.</p><h2>One</h2><p>{WORDS}</p><h2>Two</h2><p>{WORDS}</p>"
    (book / "b.html").write_text(page("B", body))
    found = look(book)
    assert outline(found)[-1] == ("B", ["One", "Two"])
    assert "Read this." in list(found.plan.lessons)[-2].html


def test_what_a_book_is_about_is_said_by_its_text_and_not_by_the_tip_beside_it(book: Path) -> None:
    tip = "<div class='admonition tip'><p class='admonition-title'>Tip</p><p>Made for others.</p></div>"
    (book / "index.html").write_text(INDEX.replace("<p>word", f"{tip}<p>A book of words. word"))
    found = look(book).introduction
    assert found.startswith("A book of words. word")
    assert "Tip" not in found


def test_a_chapter_of_several_pages_has_a_lesson_per_page(book: Path) -> None:
    nested = "<ul><li><a href='a.html'>A</a><ul><li><a href='b.html'>B</a></li></ul></li></ul>"
    (book / "index.html").write_text(page("Book", f"<p>{WORDS}</p>{nested}"))
    assert outline(look(book)) == [("Book", ["Book"]), ("A", ["A", "B"])]


def test_without_contents_pages_follow_by_number(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        (tmp_path / f"{number}.html").write_text(page(f"P{number}", f"<p>{WORDS}</p>"))
    (tmp_path / "index.html").write_text(page("Start", f"<p>{WORDS}</p>"))
    assert [title for title, _ in outline(look(tmp_path))] == ["Start", "P1", "P9", "P10"]


def test_links_lead_to_the_lesson_that_has_the_anchor(book: Path) -> None:
    links = LinkMap(look(book, base="https://docs.example/v1/").plan)
    assert links.follow("b.html", "a.html#top") == Target("a.html", "top")
    assert links.follow("a.html", "b.html#two") == Target("b.html#two")
    assert links.follow("a.html", "b.html") == Target("b.html#one")
    assert links.follow("b.html", "#one") == Target("b.html#one")
    assert links.follow("a.html", "c/d.html#x") == Outside("https://docs.example/v1/c/d.html#x")
    assert links.follow("a.html", "https://example.org/") == Outside("https://example.org/")
    for href in (
        "javascript:alert(1)",
        "data:text/html,x",
        "../../etc/passwd",
        "http://[",
        "file:///etc/passwd",
    ):
        assert isinstance(links.follow("a.html", href), Dead), href


def test_without_a_base_links_out_of_the_import_are_told_of(book: Path) -> None:
    (book / "a.html").write_text(page("A", f"<p>{WORDS}<a href='gone.html'>x</a></p>"))
    (warning,) = look(book).warnings
    assert warning.file == "a.html"
    assert "gone.html" in warning.rule
    assert "--base-url" in warning.fix


def test_pictures_are_found_with_their_size(book: Path) -> None:
    (picture,) = look(book).pictures
    assert (picture.path, picture.identity.width, picture.identity.height) == ("p.png", 4, 3)


def _bomb(book: Path) -> None:
    (book / "p.png").write_bytes(pictures.png(60_000, 60_000))


def _page_as_picture(book: Path) -> None:
    (book / "p.png").write_text("<script>alert(1)</script>")


def _missing_picture(book: Path) -> None:
    (book / "p.png").unlink()


def _picture_outside(book: Path) -> None:
    (book / "p.png").unlink()
    (book / "p.png").symlink_to("/etc/hostname")


def _film_as_picture(book: Path) -> None:
    (book / "p.png").write_bytes(pictures.mp4())


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_bomb, "60000 x 60000 pixels"),
        (_page_as_picture, "must be a PNG"),
        (_missing_picture, "does not exist"),
        (_picture_outside, "link out of the folder"),
        (_film_as_picture, "not a picture"),
    ],
)
def test_a_bad_picture_is_left_out_with_a_warning(
    book: Path, spoil: Callable[[Path], None], rule: str
) -> None:
    spoil(book)
    found = look(book)
    (warning,) = found.warnings
    assert warning.file == "p.png"
    assert rule in warning.rule
    assert warning.fix
    assert not found.pictures


def test_pictures_from_elsewhere_and_active_parts_are_left_out_with_warnings(book: Path) -> None:
    body = f"<p>{WORDS}</p><img src='https://evil.example/p.png'><img src='data:image/png;base64,AA'><script>x</script>"
    (book / "a.html").write_text(page("A", body + "<iframe src='x'></iframe>"))
    rules = " ".join(warning.rule for warning in look(book).warnings)
    assert "pictures from elsewhere (https://evil.example/p.png, data:image/png;base64,AA)" in rules
    assert "iframe" in rules


def _huge(book: Path) -> None:
    with (book / "a.html").open("wb") as file:
        file.truncate(50 * 1024 * 1024)


def _deep(book: Path) -> None:
    (book / "a.html").write_text("<div>" * 200_000)


def _never_closed(book: Path) -> None:
    (book / "a.html").write_text("<b>" * (MAX_DEPTH - 1) + "<p>" * 500_000)


def _not_utf8(book: Path) -> None:
    (book / "a.html").write_bytes(b"<p>caf\xe9</p>")


def _falsely_declared(book: Path) -> None:
    (book / "a.html").write_bytes(b"<meta charset='shift_jis'><p>\x85\xff\x80</p>")


def _unknown_encoding(book: Path) -> None:
    (book / "a.html").write_bytes(b"<meta charset='klingon'><p>x</p>")


def _codec_that_is_no_text(book: Path) -> None:
    (book / "a.html").write_bytes(b"<meta charset='hex'><p>x</p>")


def _binary(book: Path) -> None:
    (book / "a.html").write_bytes(b"\x00\x01\x02" * 100)


def _missing(book: Path) -> None:
    (book / "a.html").unlink()


def _symlink_out(book: Path) -> None:
    (book / "a.html").unlink()
    (book / "a.html").symlink_to("/etc/hostname")


def _symlink_loop(book: Path) -> None:
    (book / "a.html").unlink()
    (book / "a.html").symlink_to("a.html")


def _pipe(book: Path) -> None:
    (book / "a.html").unlink()
    os.mkfifo(book / "a.html")


def _folder(book: Path) -> None:
    (book / "a.html").unlink()
    (book / "a.html").mkdir()


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_huge, f"more than {MAX_BYTES}"),
        (_deep, f"nests more than {MAX_DEPTH}"),
        (_never_closed, "too many elements open"),
        (_not_utf8, "not valid utf-8"),
        (_falsely_declared, "not valid shift_jis"),
        (_unknown_encoding, "unknown encoding 'klingon'"),
        (_codec_that_is_no_text, "unknown encoding 'hex'"),
        (_binary, "NUL"),
        (_missing, "does not exist"),
        (_symlink_out, "link out of the folder"),
        (_symlink_loop, "circle"),
        (_pipe, "not a regular file"),
        (_folder, "not a regular file"),
    ],
)
@pytest.mark.timeout(10)
def test_a_broken_page_refuses_the_folder(book: Path, spoil: Callable[[Path], None], rule: str) -> None:
    spoil(book)
    with pytest.raises(ImportRefused) as refused:
        look(book)
    (finding,) = refused.value.findings
    assert finding.file == "a.html"
    assert rule in finding.rule
    assert finding.fix


def test_every_broken_page_is_named_at_once(book: Path) -> None:
    _missing(book)
    (book / "b.html").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ImportRefused) as refused:
        look(book)
    assert [finding.file for finding in refused.value.findings] == ["a.html", "b.html"]


def test_broken_pages_can_be_left_out(book: Path) -> None:
    _missing(book)
    found = look(book, skip_broken=True)
    assert [title for title, _ in outline(found)] == ["Book", "B"]
    assert "a.html" in {warning.file for warning in found.warnings}


@pytest.mark.parametrize(
    "href", ["../secret.html", "/../secret.html", "%2e%2e/secret.html", "..\\secret.html"]
)
def test_contents_cannot_climb_out_of_the_folder(book: Path, href: str) -> None:
    (book.parent / "secret.html").write_text(page("Secret", WORDS))
    (book / "index.html").write_text(page("Book", f"<p>{WORDS}</p><ul><li><a href='{href}'>x</a></li></ul>"))
    with pytest.raises(ImportRefused) as refused:
        look(book)
    assert "secret" in refused.value.findings[0].file


def test_old_encodings_are_read_when_they_are_declared(book: Path) -> None:
    (book / "a.html").write_bytes(
        page("Caf\u00e9", WORDS).replace("<head>", "<head><meta charset=latin1>").encode("latin-1")
    )
    assert outline(look(book))[1][0] == "Café"


@pytest.mark.parametrize(("entry", "rule"), [("none.html", "does not exist"), ("../x.html", "leads out")])
def test_a_wrong_entry_is_refused(book: Path, entry: str, rule: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        look(book, entry)
    assert rule in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    with pytest.raises(ImportRefused, match="no text at all"):
        look(tmp_path)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="does not exist"):
        Folder(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreadable, match="not a folder"):
        Folder(tmp_path / "file")


def test_too_many_lessons_are_refused(book: Path) -> None:
    sections = "".join(f"<h2>S{number}</h2><p>text</p>" for number in range(1001))
    (book / "a.html").write_text(page("A", sections))
    with pytest.raises(ImportRefused, match="more than 1000"):
        look(book)


def test_folders_deeper_than_documentation_are_refused(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*["d"] * (folders.MAX_FOLDER_DEPTH + 2))
    deepest.mkdir(parents=True)
    with pytest.raises(Unreadable, match="deep"):
        Folder(tmp_path).pages("")


def test_more_files_than_documentation_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_ENTRIES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(Unreadable, match="more than 3 files"):
        Folder(tmp_path).pages("")


@pytest.mark.parametrize("bound", ["MAX_PAGES", "MAX_CHARACTERS"])
def test_a_book_beyond_a_bound_is_refused(book: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(surveys, bound, 1)
    with pytest.raises(ImportRefused):
        look(book)


def _opened(monkeypatch: pytest.MonkeyPatch, reading: str) -> list[str]:
    """What that method of a folder is asked for from now on."""
    opened: list[str] = []
    original = getattr(Folder, reading)

    def watched(self: Folder, path: str) -> object:
        opened.append(path)
        return original(self, path)

    monkeypatch.setattr(Folder, reading, watched)
    return opened


def test_a_list_beyond_its_bound_is_refused_before_any_page_on_it_is_opened(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _opened(monkeypatch, "page")
    monkeypatch.setattr(surveys, "MAX_PAGES", 1)
    with pytest.raises(ImportRefused, match="more than 1"):
        look(book)
    assert opened == ["index.html"]


@pytest.mark.parametrize(("bound", "what"), [("MAX_PICTURES", ""), ("MAX_PICTURES_BYTES", "bytes in all")])
def test_pictures_beyond_a_bound_are_refused_before_any_is_opened(
    book: Path, monkeypatch: pytest.MonkeyPatch, bound: str, what: str
) -> None:
    (book / "a.html").write_text(page("A", f"<p>{WORDS}<img src='q.png'><img src='large.png'></p>"))
    size = (book / "q.png").write_bytes(pictures.png(5, 3)) + (book / "p.png").stat().st_size
    with (book / "large.png").open("wb") as file:
        file.truncate(folders.MAX_PICTURE_BYTES + 1)  # left out by itself, so its bytes count for nothing
    present = size if what else 3
    opened = _opened(monkeypatch, "picture_bytes")
    monkeypatch.setattr(surveys, bound, present)
    assert len(look(book).pictures) == 2
    assert sorted(opened) == ["large.png", "p.png", "q.png"]
    opened.clear()
    monkeypatch.setattr(surveys, bound, present - 1)
    with pytest.raises(ImportRefused) as refused:
        look(book)
    (finding,) = refused.value.findings
    assert finding.file == "index.html"
    assert f"{present} {what or 'pictures'}, more than {present - 1}" in finding.rule
    assert "import a part of it" in finding.fix
    assert opened == []
