"""The lanes as a drawing: every row has all lifelines, a dot, and an arrow where something came from elsewhere.

Places are percent of the drawing's width, so that one drawing is good for a desk and for a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.web.domain.story.moments import Lane, Moment


@dataclass(frozen=True)
class Row:
    """Where things are in one row, in percent from the left. `arrow` says where its head points to."""

    dot: str
    tail: str | None = None
    arrow: Literal["left", "right"] | None = None


def places(lanes: Sequence[Lane]) -> dict[str, str]:
    """The middle of each lane."""
    return {
        lane.key: f"{100 * (2 * number + 1) / (2 * len(lanes)):.2f}%" for number, lane in enumerate(lanes)
    }


def row(lanes: Sequence[Lane], moment: Moment) -> Row:
    """How a moment is drawn."""
    where, keys = places(lanes), [lane.key for lane in lanes]
    origin = moment.came_from
    if origin is None or origin == moment.lane or origin not in where:
        return Row(where[moment.lane])
    right = keys.index(origin) < keys.index(moment.lane)
    return Row(where[moment.lane], where[origin], "right" if right else "left")
