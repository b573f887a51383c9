"""Canonical JSON (RFC 8785) for what the ledger hashes: objects, lists, text, whole numbers, true, false and null.

RFC 8785 sorts names by UTF-16 units; ours are ASCII, where that is their order in Python. Its numbers are IEEE
doubles: whole ones up to 2^53 − 1 are written alike everywhere, larger amounts are text, as its appendix D advises.
Python escapes the same characters in the same way (section 3.2.2.2), given that half surrogates are refused.
"""

import json
from typing import Any, Final

LARGEST: Final = 2**53 - 1

_encode: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
).encode


def canonical(value: Any) -> bytes:
    """`value` as canonical JSON in UTF-8. Raises TypeError or ValueError for what has no such form here."""
    _check(value)
    return _encode(value).encode()


def _check(value: Any) -> None:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if abs(value) > LARGEST:
            raise ValueError("a number beyond 2^53 - 1 has no canonical form: write it as text")
    elif kind is list:
        for item in value:
            _check(item)
    elif kind is dict:
        for name, item in value.items():
            if type(name) is not str or not name.isascii():
                raise TypeError("a member's name is ASCII text")
            _check(item)
    else:
        raise TypeError(f"{kind.__name__} has no canonical form here")


def is_canonical(text: bytes) -> bool:
    """Whether some bytes are canonical JSON."""
    try:
        return canonical(json.loads(text)) == text
    except (ValueError, TypeError):
        return False
