"""Documents that a stranger reads: links lead somewhere, and commands name what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from .documents import anchors, links
from .tree import ROOT, tracked

ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
MAKE = re.compile(r"`make ([a-z][a-z-]*)|^make ([a-z][a-z-]*)(?= *(?:#|$|[a-z]+=))", re.MULTILINE)


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def targets() -> set[str]:
    """What `make` can make."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def broken(page: Path, text: str) -> Iterator[str]:
    for link in links(text):
        path, _, anchor = unquote(link.target).partition("#")
        if ELSEWHERE.match(link.target):
            continue
        target = (ROOT / page.parent / path).resolve()
        if path and not (target.is_relative_to(ROOT) and target.exists()):
            yield f"{page}:{link.line} leads to {link.target}, which is not there"
        elif anchor and anchor not in anchors(target.read_text() if path else text):
            yield f"{page}:{link.line} leads to {link.target}, which has no such heading"


def test_every_link_in_a_document_leads_somewhere() -> None:
    assert [fault for page in pages() for fault in broken(page, (ROOT / page).read_text())] == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[x](../README.md) [y](architecture.md#folders) [z](#here)\n# Here", 0),
        ("[x](nowhere.md) [z](#here)", 2),
        ("[x](architecture.md#nowhere) ![p](screens/none.png)", 2),
        ("[outside](../../secrets.md)", 1),
        ("`[x](nowhere.md)`\n```\n[x](nowhere.md)\n```\n[w](https://example.org/nowhere)", 0),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, faults: int) -> None:
    assert len(list(broken(Path("docs/page.md"), text))) == faults


def test_every_decision_is_in_the_table_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = {link.target for link in links((folder / "README.md").read_text())}
    assert {page.name for page in folder.glob("[0-9]*.md")} <= listed


def test_prose_and_messages_name_only_what_make_makes() -> None:
    texts = [path for path in tracked() if path.suffix in {".md", ".py", ".yaml", ".jinja"}]
    named = {
        (str(path), first or second)
        for path in texts
        for first, second in MAKE.findall((ROOT / path).read_text())
    }
    assert {(path, target) for path, target in named if target not in targets()} == set()


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in links(page.read_text()):
            path = unquote(link.target).partition("#")[0]
            if path.endswith(".md") and not ELSEWHERE.match(link.target):
                waiting.append((page.parent / path).resolve())
    unreachable = {str(page) for page in pages() if page.parts[0] == "docs"} - {
        str(page.relative_to(ROOT)) for page in reached
    }
    assert unreachable == set()
