"""Reading answers as trees, with a failure that names the selector."""

from __future__ import annotations

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
