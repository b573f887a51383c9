"""Reading answers as trees, with a failure that names the selector."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode


def tree(response: httpx.Response) -> LexborHTMLParser:
    """The page that was answered."""
    return LexborHTMLParser(response.text)


def one(page: LexborHTMLParser | LexborNode, selector: str) -> LexborNode:
    """The first element that matches."""
    found = page.css_first(selector)
    assert found is not None, f"nothing matches {selector}"
    return found


# What holds of every page


def has_its_landmarks_a_skip_link_and_one_first_heading(page: httpx.Response) -> None:
    root = tree(page)
    assert one(root, "html").attributes["lang"]
    for landmark in ("body > header", "body > main#main", "body > footer", "nav[aria-label=Site]"):
        assert len(root.css(landmark)) == 1, landmark
    assert root.css("body a")[0].attributes["href"] == "#main"
    assert len(root.css("h1")) == 1
    assert one(root, "title").text()


def skips_no_level_of_headings(page: httpx.Response) -> None:
    levels = [int(str(node.tag)[1]) for node in tree(page).css("h1, h2, h3, h4")]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def has_unique_ids_and_a_name_for_every_control(page: httpx.Response) -> None:
    root = tree(page)
    ids = [node.attributes["id"] for node in root.css("[id]")]
    assert len(ids) == len(set(ids))
    labelled = {node.attributes["for"] for node in root.css("label")}
    controls = root.css("input:not([type=hidden]), select, textarea")
    assert {node.attributes["id"] for node in controls} <= labelled
    assert all(node.text().strip() or "aria-label" in node.attributes for node in root.css("a, button"))
    assert all(node.attributes.get("alt") for node in root.css("img"))
    described = " ".join(node.attributes["aria-describedby"] or "" for node in root.css("[aria-describedby]"))
    assert set(described.split()) <= set(ids)


def has_nothing_inline_and_nothing_from_elsewhere(page: httpx.Response) -> None:
    root = tree(page)
    assert root.css("style, [style], [onclick], [onload], script:not([src])") == []
    loaded = [node.attributes.get("src") for node in root.css("script, img:not([src^='data:image/svg+xml'])")]
    loaded += [node.attributes.get("href") for node in root.css("link[rel=stylesheet], link[rel=icon]")]
    assert all(re.fullmatch(r"/_ui/[a-z]+\.[0-9a-f]{12}\.[a-z]+", str(url)) for url in loaded)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def sends_forms_to_itself_by_post_or_asks(page: httpx.Response) -> None:
    forms = tree(page).css("form")
    assert all(str(form.attributes["action"]).startswith("/") for form in forms)
    assert {form.attributes["method"] for form in forms} <= {"post", "get"}


Rule = Callable[[httpx.Response], None]
RULES: Final[tuple[Rule, ...]] = (
    has_its_landmarks_a_skip_link_and_one_first_heading,
    skips_no_level_of_headings,
    has_unique_ids_and_a_name_for_every_control,
    has_nothing_inline_and_nothing_from_elsewhere,
    sends_forms_to_itself_by_post_or_asks,
)
