"""What a page from outside must keep to before it is parsed: encoding, size, depth.

The parser is linear in a page's size but quadratic in its depth, and unclosed formatting elements are opened again in
every paragraph after them; so depth, and its sum over all tags, are bounded by a scan of the text first.
"""

import codecs
import re
from typing import Final

MAX_BYTES: Final = 5 * 1024 * 1024
"""Bytes of one page. The longest page of Python's documentation has 1 MB."""
MAX_DEPTH: Final = 256
"""Elements open at once. Documentation has about 20."""
MAX_WORK: Final = 20_000_000
"""Sum of the depths at every tag: what parsing may cost. The longest page of Python's documentation needs 0.6 million."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,30})")
_NEVER_OPEN: Final = frozenset(
    # Void elements, and those that the next of their kind closes.
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
        "option",
        "optgroup",
        "colgroup",
        "html",
        "head",
        "body",
    ]
)


class Unreadable(ValueError):
    """A page that is not taken: `rule` says why, `fix` what to do."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(f"{rule}; {fix}")
        self.rule = rule
        self.fix = fix


def decode(data: bytes) -> str:
    """The text of a page by its byte order mark, its declaration, or UTF-8. Raises Unreadable."""
    name = _encoding(data)
    try:
        text = data.decode(name)
    except LookupError as error:
        raise Unreadable(f"declares the unknown encoding {name!r}", "declare utf-8 and save it so") from error
    except UnicodeError as error:
        raise Unreadable(f"is not valid {name}", "save it as UTF-8, or declare its encoding") from error
    if "\x00" in text:
        raise Unreadable("holds NUL characters, so it is not HTML", "check what this file is")
    return text


def _encoding(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    declared = _DECLARED.search(data[:4096])
    name = declared[1].decode("ascii") if declared else "utf-8"
    # Browsers read what says Latin-1 as its superset; UTF-16 cannot be declared in ASCII (WHATWG Encoding, 4.2).
    return {"iso-8859-1": "cp1252", "latin1": "cp1252", "utf-16": "utf-8"}.get(name.lower(), name)


def check_depth(text: str) -> None:
    """Raise Unreadable when parsing `text` would cost more than any honest page does."""
    depth = work = 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() not in _NEVER_OPEN:
            depth = max(0, depth - 1) if tag[1] else depth + 1
        work += depth
        if depth > MAX_DEPTH:
            raise Unreadable(f"nests more than {MAX_DEPTH} elements", "close the elements that stay open")
        if work > MAX_WORK:
            raise Unreadable("leaves too many elements open", "close the elements that stay open")
