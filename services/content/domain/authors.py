"""Who writes courses, and whose a course is."""

from dataclasses import dataclass
from typing import Final

PLATFORM: Final = "the platform"
"""The owner of what comes with the platform. No token's subject reads like it: those are UUIDs and ids of clients."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, by the subject of their token. `all`: an operator, to whom every course is their own."""

    subject: str
    all: bool = False
