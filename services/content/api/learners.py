"""How far learners are: for the web app, by cluster DNS. The gateway routes nothing under /internal."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.content import contract
from services.content.api.dependencies import Db
from services.content.usecases import progress
from suuupra.app import Now

router = APIRouter(prefix="/internal/v1/visitors/{visitor_id}", tags=["progress"])


def _visitor(visitor_id: UUID) -> contract.Learner:
    return contract.Learner(kind="visitor", id=str(visitor_id))


@router.put("/progress/{lesson_id}")
async def report(
    db: Db, clock: Now, visitor_id: UUID, lesson_id: UUID, update: contract.ProgressUpdate
) -> contract.LessonProgress:
    """Say that a lesson was opened or finished. Sent twice, or late, it changes nothing more."""
    async with db.transaction() as tx:
        return await progress.report(tx, clock, _visitor(visitor_id), lesson_id, update)


@router.get("/progress")
async def lessons(
    db: Db,
    visitor_id: UUID,
    course: Annotated[UUID | None, Query(description="Only the lessons of this course.")] = None,
) -> contract.CourseProgressItems:
    """The lessons a visitor opened, the latest first."""
    async with db.reading() as tx:
        return await progress.of_learner(tx, _visitor(visitor_id), course)


@router.get("/courses")
async def courses(db: Db, visitor_id: UUID) -> contract.CourseProgressList:
    """The courses a visitor began, the latest first."""
    async with db.reading() as tx:
        return await progress.courses_of(tx, _visitor(visitor_id))
