"""How far a learner is in a lesson: it only ever moves forward."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

State = Literal["started", "completed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One learner in one lesson. `completed_at` is set exactly when the lesson was completed."""

    lesson_id: UUID
    course_id: UUID
    position: int
    started_at: datetime
    changed_at: datetime
    completed_at: datetime | None = None

    @property
    def state(self) -> State:
        """What a reader is shown."""
        return "started" if self.completed_at is None else "completed"


@dataclass(frozen=True, slots=True)
class Advanced:
    """The outcome of a report: the progress to keep, and whether the lesson was completed just now."""

    progress: Progress
    newly_completed: bool


def begin(lesson_id: UUID, course_id: UUID, now: datetime) -> Progress:
    """The progress of a learner who opens a lesson for the first time."""
    return Progress(lesson_id, course_id, position=0, started_at=now, changed_at=now)


def further(one: Progress, other: Progress) -> Progress:
    """One person's two records of a lesson as one: whichever way round, and however often."""
    done = [it for it in (one, other) if it.completed_at is not None]
    leading = max(done or [one, other], key=lambda it: (it.changed_at, it.position))
    return replace(
        leading,
        started_at=min(one.started_at, other.started_at),
        changed_at=max(one.changed_at, other.changed_at),
        completed_at=min((it.completed_at for it in done if it.completed_at), default=None),
    )


def advance(progress: Progress, state: State, position: int, now: datetime) -> Advanced:
    """Take in what a learner reports.

    Reports may come twice and late: completing again completes nothing, and a late `started` neither un-completes
    nor moves the position of a lesson that is done.
    """
    if progress.completed_at is not None:
        return Advanced(progress, newly_completed=False)
    if state == "completed":
        return Advanced(
            replace(progress, position=position, changed_at=now, completed_at=now), newly_completed=True
        )
    return Advanced(replace(progress, position=position, changed_at=now), newly_completed=False)
