"""A creator's courses: their draft, order, publication, history and statistics."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.content import contract
from services.content.api.dependencies import Db, Kept, Writing
from services.content.store import drafts, revisions
from services.content.usecases import courses, progress, publishing, views
from suuupra.app import Now
from suuupra.errors import not_found
from suuupra.etags import IfMatch, etag_of
from suuupra.idempotency import RequiredKey
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/authoring/courses", tags=["authoring"])


def _tagged(response: Response, view: contract.CourseDraft) -> contract.CourseDraft:
    response.headers["ETag"] = etag_of(view.version)
    return view


@router.get("")
async def list_own_courses(db: Db, author: Writing, paging: Paging) -> Page[contract.CourseEntry]:
    """Your courses, the newest first."""
    async with db.reading() as tx:
        after = paging.after(datetime, UUID)
        rows = await drafts.owned_courses(tx, author, after, paging.limit + 1)
    return paging.page(rows, key=lambda row: (row.created_at, row.id), view=views.course_entry)


@router.post("", status_code=201, response_model=contract.CourseDraft, responses=problems(400, 409))
async def begin_course(
    db: Db, clock: Now, author: Writing, once: RequiredKey, new: contract.CourseFields
) -> Response:
    """Begin a course. Learners do not see it before it is published."""
    effect = partial(courses.begin, clock=clock, author=author, new=new)
    return await once.answer(db, effect, headers=_created)


def _created(view: contract.CourseDraft) -> dict[str, str]:
    return {"Location": f"{router.prefix}/{view.id}", "ETag": etag_of(view.version)}


@router.get("/{course_id}")
async def read_draft(db: Db, author: Writing, course_id: UUID, response: Response) -> contract.CourseDraft:
    """One of your courses, with its structure."""
    async with db.reading() as tx:
        return _tagged(response, await courses.read(tx, author, course_id))


@router.put("/{course_id}", responses=problems(409))
async def describe_course(
    db: Db,
    clock: Now,
    author: Writing,
    match: IfMatch,
    course_id: UUID,
    fields: contract.CourseFields,
    response: Response,
) -> contract.CourseDraft:
    """Replace what is said of the course. Learners see it when the course is published again."""
    async with db.transaction() as tx:
        view = await courses.describe(tx, clock, author, course_id, fields, match)
    return _tagged(response, view)


@router.delete("/{course_id}", status_code=204)
async def delete_course(
    db: Db, clock: Now, author: Writing, match: IfMatch, copies: Kept, course_id: UUID
) -> None:
    """Delete the course, its revisions and its files."""
    async with db.transaction() as tx:
        await courses.delete(tx, clock, author, course_id, match)
    copies.drop()


@router.put("/{course_id}/order")
async def order_course(
    db: Db,
    clock: Now,
    author: Writing,
    match: IfMatch,
    course_id: UUID,
    wanted: contract.CourseOrder,
    response: Response,
) -> contract.CourseDraft:
    """Put modules and lessons into this order; lessons may move between modules."""
    async with db.transaction() as tx:
        view = await courses.order(tx, clock, author, course_id, wanted, match)
    return _tagged(response, view)


@router.post("/{course_id}/publish", responses=problems(409))
async def publish_course(
    db: Db, clock: Now, author: Writing, match: IfMatch, copies: Kept, course_id: UUID
) -> contract.RevisionEntry:
    """Make the draft what learners read. When they read exactly this already, nothing happens."""
    async with db.transaction() as tx:
        view = await publishing.publish(tx, clock, author, course_id, match)
    copies.drop()
    return view


@router.post("/{course_id}/unpublish")
async def unpublish_course(
    db: Db, clock: Now, author: Writing, match: IfMatch, copies: Kept, course_id: UUID
) -> contract.CourseEntry:
    """Withdraw the course. Its draft and its revisions stay."""
    async with db.transaction() as tx:
        view = await publishing.unpublish(tx, clock, author, course_id, match)
    copies.drop()
    return view


@router.get("/{course_id}/revisions")
async def list_revisions(
    db: Db, author: Writing, course_id: UUID, paging: Paging
) -> Page[contract.RevisionEntry]:
    """What was published, the newest first."""
    async with db.reading() as tx:
        course = await drafts.owned_course(tx, author, course_id)
        if course is None:
            raise not_found("course", course_id)
        rows = await revisions.newest(tx, course_id, paging.after(int), paging.limit + 1)
    return paging.page(rows, key=lambda row: (row.number,), view=lambda row: publishing.entry(row, course))


@router.get("/{course_id}/revisions/{number}")
async def read_revision(
    db: Db, author: Writing, course_id: UUID, number: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> contract.Revision:
    """What was published as that revision."""
    async with db.reading() as tx:
        return await publishing.revision(tx, author, course_id, number)


@router.get("/{course_id}/statistics")
async def read_statistics(db: Db, author: Writing, course_id: UUID) -> contract.Statistics:
    """How often each lesson was completed."""
    async with db.reading() as tx:
        return await progress.statistics(tx, author, course_id)
