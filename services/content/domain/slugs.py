"""Slugs: the part of an address that a person can read, in any script."""

import re
import unicodedata
from collections.abc import Container
from uuid import UUID

MAX_LENGTH = 80
"""Characters; an address stays short enough to be read aloud."""

_FALLBACK = "untitled"


def slugify(text: str) -> str:
    """`4.1. if Statements` → `4-1-if-statements`; `हिन्दी पाठ` → `हिन्दी-पाठ`.

    Letters, digits and the marks that belong to letters stay (the vowel signs of Indic scripts are marks, which
    `\\w` does not match). NFKC first: two spellings of one text must not make two addresses.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(character if _belongs(character) else " " for character in folded)
    slug = "-".join(kept.split())[:MAX_LENGTH].strip("-")
    return slug or _FALLBACK


def _belongs(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def is_slug(text: str) -> bool:
    """Whether `text` is a slug as `slugify` writes them, and not mistakable for an id."""
    return text == slugify(text) and not _is_uuid(text)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def free_slug(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or `wanted-2`, `wanted-3`… : the first that is not taken and not mistakable for an id."""
    base = f"{wanted}-course" if _is_uuid(wanted) else wanted
    if base not in taken:
        return base
    stem = re.sub(r"-\d+$", "", base)[: MAX_LENGTH - 5]
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
