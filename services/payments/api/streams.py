"""The status of a payment as it changes, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from services.payments.api.dependencies import Db, TheFeed
from services.payments.api.payments import visible
from services.payments.clients.feed import Feed
from services.payments.domain.payment import Payment, Status
from services.payments.store import payments as store
from services.payments.usecases import views
from suuupra.app import Now
from suuupra.auth import User
from suuupra.clock import Clock
from suuupra.db import Database, DatabaseUnavailable

router = APIRouter(prefix="/v1/payments", tags=["payments"])

QUIET_SECONDS: Final = 10.0
"""After so long without a change a comment is sent, so that whoever is in between keeps the connection open."""
_BEAT: Final = b": still here\n\n"
_ENDS: Final = frozenset({Status.SUCCEEDED, Status.CANCELED})


@router.get("/{payment_id}/events", response_class=StreamingResponse)
async def watch(
    request: Request, db: Db, clock: Now, feed: TheFeed, caller: User, payment_id: UUID
) -> Response:
    """Events `payment` with the payment as it is now and whenever it changes; the stream ends when the payment has.

    A browser that comes back after the end is told by 204 not to come again (HTML, server-sent events).
    """
    payment = await visible(db, caller, payment_id)
    if payment.status in _ENDS and request.headers.get("last-event-id") == str(payment.version):
        return Response(status_code=204)
    stream = _changes(db, clock, feed, payment)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _changes(db: Database, clock: Clock, feed: Feed, payment: Payment) -> AsyncIterator[bytes]:
    with feed.watching(payment.id) as changed:
        shown = 0
        while True:
            changed.clear()
            found = await _read(db, payment.id)
            if found is not None and found.version != shown:
                shown = found.version
                yield _event(found)
                if found.status in _ENDS:
                    return
            if not await _changed_within(changed, QUIET_SECONDS, clock):
                yield _BEAT


async def _read(db: Database, payment_id: UUID) -> Payment | None:
    """The payment; None while PostgreSQL is away, which ends no stream."""
    try:
        async with db.reading() as tx:
            return await store.read(tx, payment_id)
    except DatabaseUnavailable:
        return None


async def _changed_within(changed: asyncio.Event, seconds: float, clock: Clock) -> bool:
    waits = [asyncio.ensure_future(changed.wait()), asyncio.ensure_future(clock.sleep(seconds))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return changed.is_set()


def _event(payment: Payment) -> bytes:
    data = views.payment(payment).model_dump_json()
    return f"event: payment\nid: {payment.version}\ndata: {data}\n\n".encode()
