"""What a page from outside must keep to before it is parsed: encoding, size, depth.

The parser is linear in a page's size but quadratic in its depth and in the attributes of an element, and unclosed
formatting elements are opened again in every paragraph after them. So all of that is bounded first, by following what
the parser will have open (`nesting`) without building anything.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from selectolax.lexbor import SelectolaxError

from services.content.domain.documents import encodings
from services.content.domain.documents.nesting import Nesting
from services.content.domain.documents.tags import Ambiguous, tags

MAX_BYTES: Final = 5 * 1024 * 1024
"""Bytes of one page. The longest page of Python's documentation has 1 MB."""
MAX_DEPTH: Final = 256
"""Elements open at once. Documentation has about 20."""
MAX_FORMATTING: Final = 64
"""Formatting elements (`b`, `a`, `font`, …) that no tag of theirs closed: each block opens all of them again."""
MAX_REPEATED: Final = 10_000
"""Characters of tags beyond the page's own length that the parser may repeat, because it opens elements again."""
MAX_ATTRIBUTES: Final = 128
"""Attributes of one element: the parser compares each with all before it."""
MAX_WORK: Final = 20_000_000
"""Sum of the depths at every tag: what parsing may cost. The longest page of Python's documentation needs 0.6 million."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_DOCTYPE = re.compile(r"\s*<!doctype\s+html\s*>", re.IGNORECASE)


class Unreadable(ValueError):
    """A page that is not taken: `rule` says why, `fix` what to do."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(f"{rule}; {fix}")
        self.rule = rule
        self.fix = fix


def decode(data: bytes) -> str:
    """The text of a page by its byte order mark, its declaration, or UTF-8. Raises Unreadable."""
    name, codec = _encoding(data)
    try:
        text = data.decode(codec)
    except UnicodeError as error:
        raise Unreadable(f"is not valid {name}", "save it as UTF-8, or declare its encoding") from error
    if "\x00" in text:
        raise Unreadable("holds NUL characters, so it is not HTML", "check what this file is")
    return text


def _encoding(data: bytes) -> tuple[str, str]:
    """What a page's encoding is called, and its codec: of those that browsers take, because others are quadratic."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name, name
    declared = _DECLARED.search(data[:4096])
    name = declared[1].decode("ascii") if declared else "utf-8"
    codec = encodings.CODECS.get(name.lower())
    if codec is None:
        raise Unreadable(f"declares the unknown encoding {name!r}", "declare utf-8 and save it so")
    return name, codec


@contextmanager
def parsing() -> Iterator[None]:
    """Around what parses a text: when the parser gives up, raises Unreadable."""
    try:
        yield
    except SelectolaxError as error:
        rule = "is more than the parser of HTML can read"
        raise Unreadable(rule, "close every element, or split it into parts") from error


def check_depth(text: str) -> None:
    """Raise Unreadable when parsing `text` would cost more than any honest page does."""
    nesting = Nesting(quirks=_quirks(text))
    try:
        _follow(text, nesting)
    except Ambiguous as error:
        rule = f"has {error} that only looks like text"
        raise Unreadable(rule, f"take the tags out of its {error}, or the element around it away") from error


def _quirks(text: str) -> bool | None:
    if _DOCTYPE.match(text):
        return False
    return None if "<!doctype" in text.lower() else True


def _follow(text: str, nesting: Nesting) -> None:
    work = whole = 0
    for tag in tags(text, lambda: nesting.doubtful):
        if nesting.active:
            nesting.text(tag.text)
        if tag.attributes and tag.name in ("html", "body"):  # those of all of them are put on one
            whole += tag.attributes
        if tag.attributes > MAX_ATTRIBUTES or whole > MAX_ATTRIBUTES:
            raise Unreadable(
                f"gives an element more than {MAX_ATTRIBUTES} attributes", "leave most of them out"
            )
        if tag.ends:
            nesting.end(tag.name)
        elif tag.name:
            nesting.start(tag.name, tag.source, closes_itself=tag.closes_itself)
        depth = len(nesting.open)
        work += depth
        if depth > MAX_DEPTH or work > MAX_WORK or nesting.active:
            _check(nesting, work, MAX_REPEATED + len(text))


def _check(nesting: Nesting, work: int, allowed: int) -> None:
    fix = "close the elements that stay open, each before those around it"
    if len(nesting.open) > MAX_DEPTH:
        raise Unreadable(f"nests more than {MAX_DEPTH} elements", fix)
    if (
        len(nesting.active) > MAX_FORMATTING
        and sum(bool(one.name) for one in nesting.active) > MAX_FORMATTING
    ):
        rule = f"leaves more than {MAX_FORMATTING} elements such as b, a and font open"
        raise Unreadable(rule, fix)
    if work > MAX_WORK or nesting.repeated > allowed:
        raise Unreadable("leaves too many elements open", fix)
