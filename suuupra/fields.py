"""Types for what callers send: text that every part of the platform can store, print and show.

Python, JSON and HTTP carry characters that PostgreSQL refuses (NUL, halves of surrogate pairs) and that break a
line, a header or a page (control characters, direction overrides). A field of one of these types refuses them with
its own name, the rule and the fix; limits that are tighter are added where the field is:

    Name = Annotated[fields.Line, Field(max_length=80)]

A conformance test holds the request models of every contract.py to them.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

LONGEST_TEXT: Final = 10_000
"""Characters of a text that says nothing else."""
GREATEST: Final = 2**63 - 1
"""What PostgreSQL's bigint holds."""
GREATEST_COUNT: Final = 2**31 - 1
"""What PostgreSQL's integer holds."""

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Not «printable»: joiners (U+200C, U+200D) are part of Indic words and of emoji, U+3000 parts Japanese ones.
_NOT_IN_A_LINE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_BREAKS_AN_ADDRESS: Final = re.compile('[\x00-\x20\x7f-\x9f\\s"<>\\\\^`{|}\ud800-\udfff]')


def storable(text: str) -> str:
    """`text`, or ValueError when PostgreSQL could not hold it."""
    if _UNSTORABLE.search(text):
        raise ValueError("must hold no NUL characters and no halves of surrogate pairs")
    return text


def without_controls(text: str) -> str:
    """`text`, which may have line breaks and tabs, or ValueError when it has other control characters."""
    storable(text)
    if _CONTROLS.search(text):
        raise ValueError("must hold no control characters besides line breaks and tabs")
    return text


def on_one_line(text: str) -> str:
    """`text`, or ValueError when it would not stay on its line or turn the direction of what follows."""
    if _NOT_IN_A_LINE.search(text):
        raise ValueError("must hold no control characters, such as line breaks")
    return text


def _in_an_address(text: str) -> str:
    if _BREAKS_AN_ADDRESS.search(text):
        raise ValueError("must hold no white space, control characters or characters that addresses escape")
    return text


_stripped: Final = StringConstraints(strip_whitespace=True)

Storable = Annotated[str, AfterValidator(storable)]
"""Anything PostgreSQL can hold: markup that is cleaned later, foreign text kept as it came."""
Line = Annotated[str, _stripped, Field(max_length=500), AfterValidator(on_one_line)]
"""One line of up to 500 characters; it may be empty."""
Title = Annotated[
    str, _stripped, Field(min_length=1, max_length=200, examples=["First"]), AfterValidator(on_one_line)
]
"""A name of something: one line of 1 to 200 characters."""
Text = Annotated[str, _stripped, Field(max_length=LONGEST_TEXT), AfterValidator(without_controls)]
"""Paragraphs of plain text; it may be empty."""
Token = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
"""An identifier that a machine made: 1 to 128 visible ASCII characters."""
Slug = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(on_one_line)]
"""The readable part of an address, in any script. What makes a good one is each service's own rule, said by it."""
WebAddress = Annotated[str, Field(max_length=500, pattern=r"^https?://[^/]"), AfterValidator(_in_an_address)]
"""An absolute http or https URL."""
EmailAddress = Annotated[
    str,
    _stripped,
    Field(
        max_length=254,
        pattern=r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
        r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$",
    ),
]
"""What a browser's email field takes (HTML, «valid email address»), with a dot in its host; 254: RFC 5321, 4.5.3.1.3."""
Count = Annotated[int, Field(ge=0, le=GREATEST_COUNT)]
"""How many: 0 to what an integer column holds."""
Integer = Annotated[int, Field(ge=-GREATEST - 1, le=GREATEST)]
"""Any whole number that a bigint column holds."""
