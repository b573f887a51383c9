"""Shortening what a document says of itself, so that it never ends within a word."""

import re
from typing import Final

SUMMARY: Final = 300
"""Characters of a summary that is taken from a document."""
DESCRIPTION: Final = 2000
"""Characters of a description that is taken from a document."""
_END: Final = re.compile(r"[.!?][\"')\]’”]*(?=\s|$)")
_ELLIPSIS: Final = "…"
_ENOUGH: Final = 0.5
"""Share of the characters that whole sentences must fill; of one very long sentence the words are kept."""


def shortened(text: str, most: int) -> str:
    """The text's sentences that fit into `most` characters; where they would be too few, its words and an ellipsis."""
    text = text.strip()
    if len(text) <= most:
        return text
    ends = [found.end() for found in _END.finditer(text) if found.end() <= most]
    if ends and ends[-1] >= most * _ENOUGH:
        return text[: ends[-1]]
    cut = text[: most - len(_ELLIPSIS) + 1]
    words = cut.rsplit(maxsplit=1)[0] if re.search(r"\s", cut.strip()) else cut[:-1]
    return words.rstrip(" ,;:–—-") + _ELLIPSIS


def first_sentence(text: str, most: int) -> str:
    """The first sentence, on one line."""
    line = " ".join("".join(it if it.isprintable() else " " for it in text).split())
    found = _END.search(line)
    return shortened(line[: found.end()] if found else line, most)
