"""What callers send who mean harm, or whose program is broken: values for every field that takes text or a number.

None of them may become a 500; each is refused with the field's name, or stored and given back as it was.
"""

import base64
import json
from collections.abc import Sequence
from typing import Final

UNSTORABLE: Final[Sequence[str]] = ("\x00", "a\x00b", "\ud800", "a\udfffb")
"""Texts that PostgreSQL cannot hold: every field refuses them."""
TEXTS: Final[Sequence[str]] = (
    *UNSTORABLE,
    *("", " ", "\n", "\r\nSet-Cookie: a=b", "\x1b[31m", "\u202egnp.exe", "\u2028", "\ufeff", "\uffff"),
    *("'; DROP TABLE entry; --", "%s%n", "{{7*7}}", "<script>alert(1)</script>", "../../etc/passwd"),
    *("क्‍ष", "👩‍👩‍👧", "Z̮̞̠͙͔ͅ", "𝕏" * 200, "a" * 100_000),
)
NUMBERS: Final[Sequence[int]] = (-1, 0, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400)


def cursor_of(*values: str) -> str:
    """A cursor as a caller would forge it."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


CURSORS: Final[Sequence[str]] = (
    *("", "x", "AAAA", "W10", "bnVsbA", cursor_of("x"), cursor_of("1", "2"), cursor_of("a\x00b")),
    *(cursor_of(str(number)) for number in NUMBERS),
    cursor_of("\ud800"),
    base64.urlsafe_b64encode(b"[" * 765).decode(),
)
"""The last one is nested deeper than a parser's stack under a server's."""
