"""Media files: who reads a published lesson reads what it shows; creators upload and delete."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from services.content import contract
from services.content.api.dependencies import Db, Objects, Reading, Writing
from services.content.domain.ranges import Part, Unsatisfiable, part_of
from services.content.store import drafts
from services.content.store import media as store
from services.content.store.tables import MediaRow
from services.content.usecases import entitling, media
from services.content.usecases.problems import NotEntitled, RangeNotSatisfiable
from suuupra.app import Now
from suuupra.bodies import BodyStream
from suuupra.errors import not_found
from suuupra.etags import etag_of, not_modified
from suuupra.objects import ObjectStore, OpenObject
from suuupra.openapi import problems
from suuupra.pagination import Page, Paging

router = APIRouter(tags=["media"])

_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""An id never gets other bytes."""
_NOTHING_RUNS: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Opened by itself, an SVG may not run what is in it."""
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"*/*": {}}},
    206: {"description": "A part."},
}


@router.get(
    "/v1/media/{media_id}/{name}",
    response_class=Response,
    responses=_FILE | problems(RangeNotSatisfiable, NotEntitled),
)
async def read_media(
    request: Request,
    db: Db,
    objects: Objects,
    clock: Now,
    reader: Reading,
    media_id: UUID,
    name: Annotated[str, Path(max_length=300, description="For people; the id decides.")],
    asked: Annotated[str | None, Header(alias="Range")] = None,
    held: Annotated[str | None, Header(alias="If-Range", description="The ETag of the rest.")] = None,
    seal: Annotated[
        str | None, Query(max_length=60, description="What opens a locked file; its lesson's page has it.")
    ] = None,
) -> Response:
    """A picture, film or file, whole or in part."""
    async with db.reading() as tx:
        row = await entitling.file(tx, media_id, reader, seal, clock.now())
    headers = _headers(row)
    unchanged = not_modified(request, headers["ETag"])
    if unchanged is not None:
        unchanged.headers.update(headers)
        return unchanged
    # A part fits only to the rest of the same file (RFC 9110, 13.1.5).
    part = part_of(asked, row.size) if held in (None, headers["ETag"]) else None
    if isinstance(part, Unsatisfiable):
        raise RangeNotSatisfiable(row.size)
    return await _stream(objects, row, part, headers)


def _headers(row: MediaRow) -> dict[str, str]:
    disposition = "attachment" if row.content_type == "application/zip" else "inline"
    headers = {
        "ETag": etag_of(row.sha256),
        "Cache-Control": _kept(row),
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'{disposition}; filename="{row.name}"',
        "X-Content-Type-Options": "nosniff",
    }
    if row.content_type == "image/svg+xml":
        headers["Content-Security-Policy"] = _NOTHING_RUNS
    return headers


def _kept(row: MediaRow) -> str:
    if row.public:
        return _FOR_EVER
    # A sealed address changes by itself; a draft's file may be deleted.
    return "private, max-age=3600" if row.entitled else "private, no-cache"


async def _stream(
    objects: ObjectStore, row: MediaRow, part: Part | None, headers: dict[str, str]
) -> Response:
    """The object is opened before anything is answered: one that is away is a 503, not an empty 200."""
    opened = AsyncExitStack()
    span = (part.start, part.end) if part else None
    stored = await opened.enter_async_context(objects.open_read(row.object_key, span))
    length = part.end - part.start if part else row.size
    headers["Content-Length"] = str(length)
    if part:
        headers["Content-Range"] = part.content_range(row.size)
    return StreamingResponse(_chunks(opened, stored), 206 if part else 200, headers, row.content_type)


async def _chunks(opened: AsyncExitStack, stored: OpenObject) -> AsyncIterator[bytes]:
    async with opened:
        async for chunk in stored.chunks():
            yield chunk


@router.get("/v1/authoring/courses/{course_id}/media")
async def list_media(db: Db, author: Writing, course_id: UUID, paging: Paging) -> Page[contract.MediaLink]:
    """The files of your course, the newest first."""
    async with db.reading() as tx:
        if await drafts.owned_course(tx, author, course_id) is None:
            raise not_found("course", course_id)
        rows = await store.of_course(tx, course_id, paging.after(datetime, UUID), paging.limit + 1)
    return paging.page(rows, key=lambda row: (row.created_at, row.id), view=media.link)


@router.delete("/v1/authoring/media/{media_id}", status_code=204, responses=problems(409))
async def delete_media(db: Db, author: Writing, media_id: UUID) -> None:
    """Delete a file that no lesson uses."""
    async with db.transaction() as tx:
        await media.delete(tx, author, media_id)


def upload_router(limit: int) -> APIRouter:
    """The upload's route, which takes bodies of `limit` bytes."""
    uploads = APIRouter(tags=["media"])

    @uploads.post(
        "/v1/authoring/courses/{course_id}/media",
        status_code=201,
        responses=problems(415),
        max_body_size=limit,
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
    )
    async def upload_media(
        response: Response,
        db: Db,
        objects: Objects,
        clock: Now,
        author: Writing,
        pieces: BodyStream,
        course_id: UUID,
        name: Annotated[str, Query(min_length=1, max_length=300, description="The file's name.")],
    ) -> contract.MediaLink:
        """Upload a file: its bytes are the body, its type is found out from them. The same bytes again: the same file."""
        target = media.Target(author, course_id, name, limit)
        uploaded = await media.upload(db, objects, clock, target, pieces)
        response.status_code = 201 if uploaded.is_new else 200
        response.headers["Location"] = uploaded.media.url
        return uploaded.media

    return uploads
