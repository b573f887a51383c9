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
from selectolax.lexbor import LexborHTMLParser, LexborNode

CLASSES: Final = frozenset(name for name in STANDARD_TYPES.values() if name)
"""The class names of Pygments' spans."""

MAX_CHARACTERS: Final = 4_000
MAX_LINES: Final = 200
MAX_LINE: Final = 300
"""Characters of a line."""
MAX_COLOURED: Final = 100_000
"""Characters of one text that are coloured; listings after them stay plain."""
# Lexers are regular expressions whose time grows with the square of hostile text: 4 KB of line breaks once kept the C++
# one busy for 20 s. So what is longer than a page of code, or has lines or gaps that no code has, stays plain; and the
# languages are those of which tests show that within these bounds none takes longer than a fraction of a second.
_LANGUAGES = """
bash c clojure cmake console cpp csharp css dart diff docker dockerfile elixir erlang fortran go graphql haskell html ini
java javascript js json julia kotlin latex less lua make markdown matlab nginx objective-c perl php postgresql powershell
protobuf pycon pytb python r rst ruby rust scala scss sh shell sql swift tex toml ts typescript vim xml yaml
"""
LANGUAGES: Final = frozenset(_LANGUAGES.split())
_GAP = re.compile(r"\n[ \t\r\f\v]*\n[ \t\r\f\v]*\n[ \t\r\f\v]*\n")
"""Three blank lines on end."""

_LANGUAGE = re.compile(r"(?:^|\s)(?:highlight|language|lang)-([A-Za-z0-9_+#.-]{1,30})")
_PLAIN: Final = frozenset({"none", "text", "plain", "plaintext", "output"})
_PYTHON: Final = frozenset({"default", "python", "python3", "py", "py3"})
_formatter: Final = HtmlFormatter(nowrap=True)


def highlight_all(body: LexborNode) -> None:
    """Put highlighted listings in the place of every `pre` and of the wrappers around it."""
    coloured = 0
    for pre in body.css("pre"):
        text = pre.text().strip("\n")
        outer, language = _outermost(pre)
        coloured += len(text)
        spoken = _spoken(language, text) if coloured <= MAX_COLOURED else ""
        listing = LexborHTMLParser(render(text, spoken)).css_first("pre")
        if listing is not None:
            outer.replace_with(listing)


def render(text: str, language: str) -> str:
    """The HTML of a listing. `language` is one of LANGUAGES; any other, or empty: not coloured."""
    name = f' data-language="{escape(language)}"' if language else ""
    return f'<pre class="highlight"{name}><code>{_coloured(text, language)}</code></pre>'


def _coloured(text: str, language: str) -> str:
    lexer = _lexer(language) if is_ordinary(text) else None
    return str(pygmentize(text, lexer, _formatter)).rstrip("\n") if lexer else escape(text, quote=False)


def is_ordinary(text: str) -> bool:
    """Whether it has the measures of code that somebody wrote to be read."""
    if len(text) > MAX_CHARACTERS or _GAP.search(text):
        return False
    lines = text.split("\n")
    return len(lines) <= MAX_LINES and max(map(len, lines)) <= MAX_LINE


def _lexer(language: str) -> Lexer | None:
    return get_lexer_by_name(language, stripnl=False) if language in LANGUAGES else None


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
