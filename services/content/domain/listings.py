"""Code listings: found in what documentation tools write, highlighted once, at writing time, with classes only.

Sphinx writes `div.highlight-LANGUAGE > div.highlight > pre`, Markdown tools `pre > code.language-LANGUAGE`. Both
become `pre.highlight[data-language] > code` with Pygments' spans, which a style sheet colours.
"""

import re
from html import escape
from typing import Final

from pygments import highlight as pygmentize
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound
from selectolax.lexbor import LexborHTMLParser, LexborNode

CLASSES: Final = frozenset(name for name in STANDARD_TYPES.values() if name)
"""The class names of Pygments' spans."""

_MAX_CHARACTERS: Final = 50_000
"""Longer listings stay plain: lexers are regular expressions, some of them slow on hostile text."""

_LANGUAGE = re.compile(r"(?:^|\s)(?:highlight|language|lang)-([A-Za-z0-9_+#.-]{1,30})")
_PLAIN: Final = frozenset({"none", "text", "plain", "plaintext", "output"})
_PYTHON: Final = frozenset({"default", "python", "python3", "py", "py3"})
_formatter: Final = HtmlFormatter(nowrap=True)


def highlight(pre: LexborNode) -> None:
    """Put the highlighted listing in the place of `pre` and of the wrappers around it."""
    text = pre.text().strip("\n")
    outer, language = _outermost(pre)
    listing = LexborHTMLParser(render(text, _spoken(language, text))).css_first("pre")
    if listing is not None:
        outer.replace_with(listing)


def render(text: str, language: str) -> str:
    """The HTML of a listing. `language` is Pygments' name; unknown or empty: not coloured."""
    name = f' data-language="{escape(language)}"' if language else ""
    return f'<pre class="highlight"{name}><code>{_coloured(text, language)}</code></pre>'


def _coloured(text: str, language: str) -> str:
    lexer = _lexer(language) if len(text) <= _MAX_CHARACTERS else None
    return str(pygmentize(text, lexer, _formatter)).rstrip("\n") if lexer else escape(text, quote=False)


def _lexer(language: str) -> Lexer | None:
    if not language:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return None


def _outermost(pre: LexborNode) -> tuple[LexborNode, str]:
    """The wrapper to replace, and the language that any part of the listing names."""
    code = pre.css_first("code")
    language = pre.attrs.sget("data-language") or _named(pre) or (_named(code) if code else "")
    outer, parent = pre, pre.parent
    while parent is not None and parent.tag == "div" and "highlight" in parent.attrs.sget("class"):
        outer, language = parent, language or _named(parent)
        parent = parent.parent
    return outer, language


def _named(node: LexborNode) -> str:
    found = _LANGUAGE.search(node.attrs.sget("class"))
    return found[1].lower() if found else ""


def _spoken(language: str, text: str) -> str:
    """Sphinx's names in Pygments' terms: `python` that begins with a prompt is a console session."""
    if language in _PLAIN:
        return ""
    if language in _PYTHON:
        return "pycon" if text.lstrip().startswith(">>>") else "python"
    return language
