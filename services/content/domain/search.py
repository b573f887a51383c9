"""What people type into a search field, as a PostgreSQL text query."""

import unicodedata
from typing import Final

MAX_WORDS: Final = 8
"""More words than anyone remembers of a title."""


def title_query(typed: str) -> str | None:
    """`Pyth tut` → `'pyth':* & 'tut':*`: every word begins a word of the title. None when there is no word in it."""
    folded = unicodedata.normalize("NFKC", typed).casefold()
    letters = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded)
    words = letters.split()[:MAX_WORDS]
    return " & ".join(f"'{word}':*" for word in words) or None
