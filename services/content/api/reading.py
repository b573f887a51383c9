"""What everybody may read: published courses and lessons.

Answers are bytes made at publication; a reader who has them already gets 304. They may be kept for a few seconds by
anyone on the way, which is what keeps a course that everybody opens at once from being ten thousand queries.
"""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.content import contract
from services.content.api.dependencies import CourseKey, Db, LessonKey
from services.content.domain.publishing import Document
from services.content.domain.search import title_query
from services.content.store import shown
from services.content.usecases.problems import not_found
from suuupra.etags import etag_of, not_modified
from suuupra.pagination import Page, Paging

router = APIRouter(tags=["courses"])

_FRESH: Final = "public, max-age=5, stale-while-revalidate=30"
"""A withdrawn course may still be seen for the 35 seconds that this adds up to."""


@router.get("/v1/courses", response_model=Page[contract.CourseSummary])
async def list_courses(
    db: Db,
    paging: Paging,
    q: Annotated[
        str | None, Query(max_length=200, description="Words that titles must have, or their beginnings.")
    ] = None,
) -> Response:
    """Published courses, the newest first."""
    words = title_query(q) if q is not None else None
    if q is not None and q.strip() and words is None:
        return _page("", None)
    async with db.reading() as tx:
        listed = await shown.catalogue(tx, words, paging.after(datetime, UUID), paging.limit + 1)
    page = paging.page(listed, key=lambda row: (row.listed_at, row.course_id), view=lambda row: row.summary)
    return _page(",".join(page.items), page.next)


def _page(items: str, next_: str | None) -> Response:
    # The summaries are JSON already; reading them in, only to write them out, would cost more than the query.
    cursor = f'"{next_}"' if next_ else "null"
    body = f'{{"items":[{items}],"next":{cursor}}}'
    return Response(body, headers={"Cache-Control": _FRESH}, media_type="application/json")


@router.get("/v1/courses/{course}", response_model=contract.CourseDetails)
async def read_course(request: Request, db: Db, course: CourseKey) -> Response:
    """A published course."""
    async with db.reading() as tx:
        found = await shown.course(tx, course)
    return _answer(request, found, "course", course)


@router.get("/v1/courses/{course}/contents", response_model=contract.Contents)
async def read_contents(request: Request, db: Db, course: CourseKey) -> Response:
    """The table of contents of a published course."""
    async with db.reading() as tx:
        found = await shown.contents(tx, course)
    return _answer(request, found, "course", course)


@router.get("/v1/courses/{course}/lessons/{lesson}", response_model=contract.LessonPage)
async def read_lesson_of_course(
    request: Request,
    db: Db,
    course: CourseKey,
    lesson: LessonKey,
) -> Response:
    """A published lesson, by its address in the course."""
    async with db.reading() as tx:
        found = await shown.lesson_of(tx, course, lesson)
    return _answer(request, found, "lesson", lesson)


@router.get("/v1/lessons/{lesson_id}", response_model=contract.LessonPage)
async def read_lesson(request: Request, db: Db, lesson_id: UUID) -> Response:
    """A published lesson."""
    async with db.reading() as tx:
        found = await shown.lesson(tx, lesson_id)
    return _answer(request, found, "lesson", lesson_id)


def _answer(request: Request, found: Document | None, what: str, key: UUID | str) -> Response:
    if found is None:
        raise not_found(what, key)
    etag = etag_of(found.etag)
    unchanged = not_modified(request, etag)
    if unchanged is not None:
        unchanged.headers["Cache-Control"] = _FRESH
        return unchanged
    headers = {"ETag": etag, "Cache-Control": _FRESH}
    return Response(found.json, headers=headers, media_type="application/json")
