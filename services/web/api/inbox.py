"""A person's inbox: what there is to know, how much of it is new, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import ValidationError

from services.notifications.contract import Unread
from services.web.api.cart import FORM_BYTES
from services.web.api.checkout import STREAM_HEADERS
from services.web.api.dependencies import Post, SignedIn
from services.web.api.pages import HeadOfPage, onward, page
from services.web.clients.notifications import STREAM, Notifications
from services.web.domain.sessions import way_back
from suuupra import errors, ui

PER_PAGE: Final = 30
STREAM_SECONDS: Final = 300.0
SAME_ORIGIN: Final = [Depends(ui.require_same_origin)]

router = APIRouter(include_in_schema=False)


@router.get("/inbox")
async def show(
    request: Request,
    post: Post,
    head: HeadOfPage,
    viewer: SignedIn,
    cursor: Annotated[str | None, Query(max_length=1100)] = None,
) -> Response:
    """The latest first."""
    inbox = await post.inbox(viewer.bearer, cursor, PER_PAGE)
    return await page(request, "inbox.html", head, section="inbox", inbox=inbox, paged=cursor is not None)


@router.post("/inbox/read", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def read_all(post: Post, viewer: SignedIn, up_to: Annotated[UUID, Form()]) -> Response:
    """All of the page is read; what came meanwhile is not."""
    await post.read_all(up_to, viewer.bearer)
    return onward("/inbox")


@router.post("/inbox/{notification}/read", dependencies=SAME_ORIGIN, max_body_size=FORM_BYTES)
async def read(
    post: Post, viewer: SignedIn, notification: UUID, to: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """One is read; on to what it is about."""
    await post.read(notification, viewer.bearer)
    return onward(way_on(to))


def way_on(to: str) -> str:
    """A path of this site, else the inbox."""
    return way_back(to) if to and way_back(to) == to else "/inbox"


@router.get("/inbox/events")
async def events(post: Post, viewer: SignedIn) -> Response:
    """Tells how many are unread, now and whenever that changes (text/event-stream)."""
    counts = _counts(post, viewer.bearer, await post.unread(viewer.bearer))
    return StreamingResponse(counts, media_type="text/event-stream", headers=STREAM_HEADERS)


async def _counts(post: Notifications, bearer: str, now: int) -> AsyncIterator[str]:
    """Notifications' own stream, in the form the pages' script reads. It ends by itself, and the browser asks again."""
    yield _event(now)
    try:
        async with asyncio.timeout(STREAM_SECONDS), post.events(STREAM, bearer) as told:
            async for data in told:
                yield _event(Unread.model_validate_json(data).unread)
    except (errors.Problem, TimeoutError, ValidationError):
        return


def _event(unread: int) -> str:
    return f"event: unread\ndata: {unread}\n\n"
