"""What may be read: published courses and lessons, some of them by those alone who are entitled to the course.

Answers are bytes made at publication; a reader who has them already gets 304. They may be kept for a few seconds by
anyone on the way, which is what keeps a course that everybody opens at once from being ten thousand queries. What
depends on the caller may be kept by nobody but the caller, and only for it the token is judged.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.content import contract
from services.content.api.dependencies import (
    CourseName,
    LessonName,
    Published,
    Shelf,
    author_of,
    id_or_slug,
)
from services.content.domain.publishing import Document, unlocked
from services.content.domain.search import title_query
from services.content.store import shown
from services.content.usecases import entitling
from services.content.usecases.problems import NotEntitled
from suuupra.auth import optional_user
from suuupra.db import Database
from suuupra.errors import not_found
from suuupra.etags import etag_of, not_modified
from suuupra.openapi import problems
from suuupra.pagination import Page, PageRequest, Paging

router = APIRouter(tags=["courses"])

_Finder = Callable[..., Awaitable[Document | None]]

_FRESH: Final = "public, max-age=5, stale-while-revalidate=30"
"""A withdrawn course may still be seen for the 35 seconds that this adds up to."""
_OWN: Final = "private, no-cache"
"""Of what depends on the caller: asked for again each time, and 304 while nothing changed."""
_WHO: Final[dict[str, Any]] = {"security": [{"bearer": []}, {}]}
"""A token is optional. Not the dependency: it would cost those who need none as much as their whole answer."""


@router.get("/v1/courses", response_model=Page[contract.CourseSummary])
async def list_courses(
    shelf: Published,
    paging: Paging,
    q: Annotated[
        str | None, Query(max_length=200, description="Words that titles must have, or their beginnings.")
    ] = None,
) -> Response:
    """Published courses, the newest first."""
    words = title_query(q) if q is not None else None
    if q is not None and q.strip() and words is None:
        return _page(Document('{"items":[],"next":null}', ""))
    load = partial(_catalogue, shelf.db, paging, words)
    if words is not None or paging.cursor is not None:
        return _page(await load())
    front = await shelf.copies.get(paging.limit, shelf.now, load)
    return _page(front or await load())


async def _catalogue(db: Database, paging: PageRequest, words: str | None) -> Document:
    async with db.reading() as tx:
        listed = await shown.catalogue(tx, words, paging.after(datetime, UUID), paging.limit + 1)
    page = paging.page(listed, key=lambda row: (row.listed_at, row.course_id), view=lambda row: row.summary)
    # The summaries are JSON already; reading them in, only to write them out, would cost more than the query.
    cursor = f'"{page.next}"' if page.next else "null"
    return Document(f'{{"items":[{",".join(page.items)}],"next":{cursor}}}', "")


def _page(page: Document) -> Response:
    return Response(page.json, headers={"Cache-Control": _FRESH}, media_type="application/json")


@router.get("/v1/courses/{course}", response_model=contract.CourseDetails)
async def read_course(request: Request, shelf: Published, course: CourseName) -> Response:
    """A published course."""
    key = id_or_slug(course)
    return _answer(request, await _find(shelf, shown.course, key), "course", key)


@router.get("/v1/courses/{course}/contents", response_model=contract.Contents, openapi_extra=_WHO)
async def read_contents(request: Request, shelf: Published, course: CourseName) -> Response:
    """The table of contents of a published course. `locked` is told for the caller, who may be nobody."""
    key = id_or_slug(course)
    found = await _find(shelf, shown.contents, key)
    if found is None or found.entitles is None:
        return _answer(request, found, "course", key)
    caller = await optional_user(request)
    if caller is None:
        answer = _answer(request, found, "course", key)
        answer.headers["Vary"] = "Authorization"
        return answer
    async with shelf.db.reading() as tx:
        entitled = await entitling.is_entitled(tx, author_of(caller), found.entitles)
    return _answer(request, unlocked(found) if entitled else found, "course", key, _OWN)


@router.get(
    "/v1/courses/{course}/lessons/{lesson}",
    response_model=contract.LessonPage,
    responses=problems(NotEntitled),
    openapi_extra=_WHO,
)
async def read_lesson_of_course(
    request: Request, shelf: Published, course: CourseName, lesson: LessonName
) -> Response:
    """A published lesson, by its address in the course."""
    key = id_or_slug(lesson)
    found = await _find(shelf, shown.lesson_of, id_or_slug(course), key)
    return await _lesson(request, shelf, found, key)


@router.get(
    "/v1/lessons/{lesson_id}",
    response_model=contract.LessonPage,
    responses=problems(NotEntitled),
    openapi_extra=_WHO,
)
async def read_lesson(request: Request, shelf: Published, lesson_id: UUID) -> Response:
    """A published lesson."""
    return await _lesson(request, shelf, await _find(shelf, shown.lesson, lesson_id), lesson_id)


async def _lesson(request: Request, shelf: Shelf, found: Document | None, key: UUID | str) -> Response:
    if found is None or found.entitles is None:
        return _answer(request, found, "lesson", key)
    caller = await optional_user(request)
    reader = None if caller is None else author_of(caller)
    async with shelf.db.reading() as tx:
        page = await entitling.unlock(tx, reader, found.entitles, found, shelf.clock.now())
    return _answer(request, page, "lesson", key, _OWN)


async def _find(shelf: Shelf, find: _Finder, *keys: shown.Key) -> Document | None:
    return await shelf.copies.get((find, *keys), shelf.now, partial(_load, shelf.db, find, *keys))


async def _load(db: Database, find: _Finder, *keys: shown.Key) -> Document | None:
    async with db.reading() as tx:
        return await find(tx, *keys)


def _answer(
    request: Request, found: Document | None, what: str, key: UUID | str, kept: str = _FRESH
) -> Response:
    if found is None:
        raise not_found(what, key)
    etag = etag_of(found.etag)
    unchanged = not_modified(request, etag)
    if unchanged is not None:
        unchanged.headers["Cache-Control"] = kept
        return unchanged
    headers = {"ETag": etag, "Cache-Control": kept}
    return Response(found.json, headers=headers, media_type="application/json")
