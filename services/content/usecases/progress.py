"""What learners did, and how many of them."""

from collections.abc import Sequence
from uuid import UUID

from services.content import contract
from services.content.domain.authors import Author
from services.content.domain.progress import Progress, advance, begin
from services.content.store import drafts, learners, shown
from services.content.usecases import entitling
from suuupra import outbox
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.errors import not_found

_SHELF = 50
"""Courses that a learner is reminded of."""


async def report(
    tx: Transaction,
    clock: Clock,
    learner: contract.Learner,
    lesson_id: UUID,
    update: contract.ProgressUpdate,
) -> contract.LessonProgress:
    """Take in how far a learner is. A lesson's completion is told once, however often it is reported.

    Raises NotEntitled where the learner cannot have read it.
    """
    place = await shown.place_of(tx, lesson_id)
    if place is None:
        raise not_found("published lesson", lesson_id)
    if place.locked:
        await entitling.admit(tx, Author(learner.id) if learner.kind == "user" else None, place.course_id)
    course_id, now = place.course_id, clock.now()
    current = await learners.lock(tx, learner, begin(lesson_id, course_id, now))
    advanced = advance(current, update.state, update.position, now)
    await learners.save(tx, learner, advanced.progress)
    if advanced.newly_completed:
        event = contract.LessonCompleted(
            learner=learner, course_id=course_id, lesson_id=lesson_id, completed_at=now
        )
        await outbox.append(tx, contract.learner_key(learner), event, at=now)
    return _view(advanced.progress)


async def of_learner(
    tx: Transaction, learner: contract.Learner, course_id: UUID | None
) -> contract.CourseProgressItems:
    """A learner's lessons, of one course or of all."""
    found = await learners.of_learner(tx, learner, course_id)
    return contract.CourseProgressItems(items=[_view(progress) for progress in found])


def _view(progress: Progress) -> contract.LessonProgress:
    return contract.LessonProgress(
        lesson_id=progress.lesson_id,
        course_id=progress.course_id,
        state=progress.state,
        position=progress.position,
        at=progress.changed_at,
    )


async def courses_of(tx: Transaction, learner: contract.Learner) -> contract.CourseProgressList:
    """The courses a learner began, to go on with."""
    items = [
        contract.CourseProgress(
            course=contract.CourseSummary.model_validate_json(summary),
            completed=completed,
            last_lesson=contract.Neighbour.model_validate(lesson),
            at=at,
        )
        for summary, completed, at, lesson in await learners.courses_of(tx, learner, _SHELF)
    ]
    return contract.CourseProgressList(items=items)


async def count(tx: Transaction, completed: Sequence[contract.LessonCompleted]) -> None:
    """Count completions. Each event comes here once; the inbox sees to that."""
    await learners.count(tx, [(event.lesson_id, event.course_id, event.learner) for event in completed])


async def statistics(tx: Transaction, author: Author, course_id: UUID) -> contract.Statistics:
    """How often the lessons of the author's course were completed; those no longer in it included."""
    if await drafts.owned_course(tx, author, course_id) is None:
        raise not_found("course", course_id)
    counts = await learners.counts(tx, course_id)
    lessons = [contract.LessonCompletions(lesson_id=key, completions=it) for key, it in counts.items()]
    return contract.Statistics(course_id=course_id, completions=sum(counts.values()), lessons=lessons)
