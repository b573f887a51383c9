"""Markdown as a reader follows it: the headings that can be linked to, and the links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE = re.compile(r"`[^`]*`")


@dataclass(frozen=True)
class Link:
    """Where a link stands, and where it leads."""

    line: int
    target: str


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines outside of fenced code."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence:
            yield number, line


def links(text: str) -> list[Link]:
    """Links and pictures of a page, in order; what is shown as code is none."""
    return [Link(number, found) for number, line in prose(text) for found in LINK.findall(CODE.sub("", line))]


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    found = set()
    for _, line in prose(text):
        if heading := HEADING.match(line):
            slug = _slug(heading[1])
            times = seen.get(slug, 0)
            seen[slug] = times + 1
            found.add(f"{slug}-{times}" if times else slug)
    return found


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
