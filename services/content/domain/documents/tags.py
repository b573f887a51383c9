"""A page's tags as a parser of HTML would find them, without building anything, in one pass.

Comments, quoted values and what stands in `script`, `style` and their like are no tags (WHATWG HTML, 13.2.5).
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_BLANK: Final = r"[\t\n\f\r ]"
_ATTRIBUTE: Final = (
    r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rf"(?:{_BLANK}*+={_BLANK}*+(?>\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|(?=>)|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|\Z))?+"
)
_TOKEN = re.compile(
    r"<(?:(?P<comment>!--(?>-?>|(?s:.*?)(?:--!?>|\Z)))"
    rf"|(?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)(?P<rest>(?>[\t\n\f\r /]++|{_ATTRIBUTE})*+)(?:>|\Z)"
    r"|(?P<bogus>[!?/][^>]*+(?:>|\Z)))"
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_CDATA = re.compile(r"<!\[CDATA\[([^<]*?)(?:\]\]>|\Z)")
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
_SCRIPT = re.compile(r"<script[\t\n\f\r />]", re.IGNORECASE)


class Tag(NamedTuple):
    """A tag: `source` is all of it; `text` what stands before it."""

    name: str
    ends: bool
    source: str
    text: str
    attributes: int

    @property
    def closes_itself(self) -> bool:
        """Whether it ends in a slash, which means something in SVG and MathML only."""
        return self.source.endswith("/>")


class Ambiguous(ValueError):
    """A text of which it depends on what was read before it whether it is tags. `args[0]` says where it stands."""


def tags(html: str, in_doubt: Callable[[], bool]) -> Iterator[Tag]:
    """Every tag in order, and one without a name for the text behind the last.

    `in_doubt` is asked whether what has been read so far leaves open if `script` and its like are what they are in
    HTML: in SVG they are elements as any other. Raises Ambiguous when what is in them then looks like tags.
    """
    at = before = 0
    while found := _TOKEN.search(html, at):
        at = found.end()
        if not found["name"]:
            if found["bogus"] and found["bogus"].startswith("![CDATA[") and in_doubt():
                at = _plain(html, found.start())
            continue
        end, name, rest = found.group("end", "name", "rest")
        name = name.lower()
        attributes = sum(1 for _ in _ATTRIBUTES.finditer(rest)) if rest else 0
        yield Tag(name, bool(end), found[0], html[before : found.start()], attributes)
        before = at
        if end:
            continue
        if name == "plaintext":
            if in_doubt():
                raise Ambiguous(name)
            return
        if name in _RAW:
            at = before = _behind(html, name, at, doubtful=in_doubt())
    yield Tag("", False, "", html[before:], 0)


def _plain(html: str, start: int) -> int:
    found = _CDATA.match(html, start)
    if not found:
        raise Ambiguous("CDATA")
    return found.end()


def _behind(html: str, name: str, at: int, *, doubtful: bool) -> int:
    """Where the content ends that begins at `at` and is text."""
    end = _RAW[name].search(html, at)
    stop = end.start() if end else len(html)
    hidden = html.find("<!--", at, stop) if name == "script" else -1
    if hidden >= 0 and _SCRIPT.search(html, hidden, min(stop + 8, len(html))):
        raise Ambiguous(name)
    if doubtful and "<" in _CDATA.sub("", html[at:stop]):
        raise Ambiguous(name)
    return stop
