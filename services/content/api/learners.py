"""How far learners are: users say it by their token, visitors by the web app, inside the cluster.

The gateway routes nothing under /internal: a visitor is known by an id that only the web app's cookie holds.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from services.content import contract
from services.content.api.dependencies import Db
from services.content.usecases import entitling, merging, progress
from services.content.usecases.problems import NotEntitled
from suuupra.app import Now
from suuupra.auth import Principal, User, require_scope
from suuupra.openapi import problems

router = APIRouter(tags=["progress"])

_VISITOR = "/internal/v1/visitors/{visitor_id}"
_Course = Annotated[UUID | None, Query(description="Only the lessons of this course.")]


def _visitor(visitor_id: UUID) -> contract.Learner:
    return contract.Learner(kind="visitor", id=str(visitor_id))


def _user(user: Principal) -> contract.Learner:
    return contract.Learner(kind="user", id=user.subject)


@router.put("/v1/progress/{lesson_id}", responses=problems(NotEntitled))
async def report_own(
    db: Db, clock: Now, user: User, lesson_id: UUID, update: contract.ProgressUpdate
) -> contract.LessonProgress:
    """Say that you opened or finished a lesson. Sent twice, or late, it changes nothing more."""
    async with db.transaction() as tx:
        return await progress.report(tx, clock, _user(user), lesson_id, update)


@router.get("/v1/progress")
async def own_lessons(db: Db, user: User, course: _Course = None) -> contract.CourseProgressItems:
    """The lessons you opened, the latest first."""
    async with db.reading() as tx:
        return await progress.of_learner(tx, _user(user), course)


@router.get("/v1/progress/courses")
async def own_courses(db: Db, user: User) -> contract.CourseProgressList:
    """The courses you began, the latest first."""
    async with db.reading() as tx:
        return await progress.courses_of(tx, _user(user))


@router.get("/internal/v1/access/{user_id}", dependencies=[Depends(require_scope("orders:read"))])
async def read_access(
    db: Db,
    user_id: UUID,
    course_id: Annotated[list[UUID], Query(min_length=1, max_length=100, description="These courses.")],
) -> contract.Rights:
    """Which locked courses are open to a user, and since when we know; for support, inside the cluster."""
    async with db.reading() as tx:
        return await entitling.access(tx, user_id, course_id)


@router.put(_VISITOR + "/progress/{lesson_id}", responses=problems(NotEntitled))
async def report(
    db: Db, clock: Now, visitor_id: UUID, lesson_id: UUID, update: contract.ProgressUpdate
) -> contract.LessonProgress:
    """Say that a lesson was opened or finished. Sent twice, or late, it changes nothing more."""
    async with db.transaction() as tx:
        return await progress.report(tx, clock, _visitor(visitor_id), lesson_id, update)


@router.get(_VISITOR + "/progress")
async def lessons(db: Db, visitor_id: UUID, course: _Course = None) -> contract.CourseProgressItems:
    """The lessons a visitor opened, the latest first."""
    async with db.reading() as tx:
        return await progress.of_learner(tx, _visitor(visitor_id), course)


@router.get(_VISITOR + "/courses")
async def courses(db: Db, visitor_id: UUID) -> contract.CourseProgressList:
    """The courses a visitor began, the latest first."""
    async with db.reading() as tx:
        return await progress.courses_of(tx, _visitor(visitor_id))


@router.post(_VISITOR + "/merge")
async def merge(db: Db, user: User, visitor_id: UUID) -> contract.Merged:
    """Give a visitor's progress to the user of the token, for good. Of a lesson that both opened, who is further counts."""
    async with db.transaction() as tx:
        return await merging.merge(tx, _visitor(visitor_id), _user(user))
