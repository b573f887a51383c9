"""A user's inbox, and the live count of what is unread."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from services.notifications import contract
from services.notifications.api.dependencies import Db, Me, Writing
from services.notifications.store import inbox
from services.notifications.usecases import reading
from services.notifications.usecases.bells import Bells
from suuupra.app import Now
from suuupra.clock import Clock
from suuupra.db import Database, DatabaseUnavailable
from suuupra.pagination import Page, Paging

router = APIRouter(prefix="/v1/notifications", tags=["inbox"])

COUNT_SECONDS: Final = 15.0
"""How often a stream says something at least, so that whatever is on the way keeps it open; then it counts anew."""
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": 'Server-sent events `unread`, whose data is `{"unread": 3}`: at once, and on each change.',
    }
}


@router.get("")
async def list_notifications(
    db: Db,
    me: Me,
    letters: Writing,
    paging: Paging,
    unread: Annotated[bool, Query(description="Only what you have not looked at.")] = False,
) -> Page[contract.Notification]:
    """Your inbox, the newest first, in your language."""
    async with db.reading() as tx:
        return await reading.page(tx, letters, me, paging, unread=unread)


@router.get("/unread-count")
async def count_unread(db: Db, me: Me) -> contract.Unread:
    """How many you have not looked at."""
    async with db.reading() as tx:
        return contract.Unread(unread=await inbox.unread(tx, me))


@router.get("/stream", response_class=StreamingResponse, responses=_STREAM)
async def stream_unread(request: Request, db: Db, me: Me, clock: Now) -> StreamingResponse:
    """The live count of what you have not looked at."""
    bells: Bells = request.app.state.bells
    async with (
        db.reading() as tx
    ):  # before the answer begins: a database that is away is a 503, not a broken stream
        count = await inbox.unread(tx, me)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _counts(bells, db, clock, me, count), media_type="text/event-stream", headers=headers
    )


async def _counts(bells: Bells, db: Database, clock: Clock, me: UUID, first: int) -> AsyncIterator[str]:
    with bells.waiting(me) as bell:
        bell.set()  # what changed between the first count and now
        yield _event(first)
        told = first
        while True:
            rang = await _rings_within(bell, COUNT_SECONDS, clock)
            bell.clear()
            count = await _count(db, me)
            if count is not None and count != told:
                told = count
                yield _event(count)
            elif not rang:
                yield ": still here\n\n"


def _event(unread: int) -> str:
    return f"event: unread\ndata: {contract.Unread(unread=unread).model_dump_json()}\n\n"


async def _count(db: Database, me: UUID) -> int | None:
    """None while the database is away: the stream outlives that."""
    try:
        async with db.reading() as tx:
            return await inbox.unread(tx, me)
    except DatabaseUnavailable:
        return None


async def _rings_within(bell: asyncio.Event, seconds: float, clock: Clock) -> bool:
    waits = [asyncio.ensure_future(bell.wait()), asyncio.ensure_future(clock.sleep(seconds))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return bell.is_set()


@router.post("/{notification_id}/read")
async def mark_read(
    db: Db, clock: Now, me: Me, letters: Writing, notification_id: UUID
) -> contract.Notification:
    """Say that you looked at it. Said again it changes nothing."""
    async with db.transaction() as tx:
        return await reading.mark_read(tx, clock, letters, me, notification_id)


@router.post("/read")
async def mark_all_read(db: Db, clock: Now, me: Me, seen: contract.ReadAll) -> contract.Unread:
    """Say that you looked at everything up to one of them, the newest that you saw."""
    async with db.transaction() as tx:
        return await reading.mark_all_read(tx, clock, me, seen.up_to)
