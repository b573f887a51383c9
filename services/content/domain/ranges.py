"""Parts of a file, as players ask for them (RFC 9110, 14)."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` up to, not including, `end`."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """The Content-Range of the part."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


class Unsatisfiable:
    """The range lies outside the file: answered 416."""


def part_of(header: str | None, size: int) -> Part | Unsatisfiable | None:
    """The part that a Range header asks for. None for the whole: no header, several ranges, or not understood."""
    asked = _RANGE.match(header.strip()) if header else None
    if asked is None or not any(asked.groups()):
        return None
    first, last = asked.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    return Part(start, end) if start < end else Unsatisfiable()
