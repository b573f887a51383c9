"""What a cart holds, and how two become one."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

MOST_LINES = 50
"""Lines of a cart."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many of a variant, at the unit price (minor units) the buyer was shown."""

    variant_id: UUID
    quantity: int
    unit_minor: int


def merged(kept: Iterable[Wanted], joining: Iterable[Wanted]) -> list[Wanted]:
    """The lines of both carts. What is in both is there once: the larger quantity, at the price seen last.

    Quantities are not added up: somebody who put a course into the cart before and after signing in wants it once.
    """
    lines = {line.variant_id: line for line in kept}
    for line in joining:
        old = lines.get(line.variant_id)
        quantity = max(line.quantity, old.quantity if old else 0)
        lines[line.variant_id] = Wanted(line.variant_id, quantity, line.unit_minor)
    return list(lines.values())[:MOST_LINES]
