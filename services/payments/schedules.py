"""What payments does when something is due."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from services.payments.clients.rails import RailBook
from services.payments.domain.reactions import ATTEMPT_EXPIRY, ATTEMPT_FOLLOW, REFUND_FOLLOW, REFUND_RETRY
from services.payments.settings import Settings
from services.payments.store import sweeping as forgotten
from services.payments.usecases import timing
from services.payments.usecases.changing import Change
from suuupra import sweeping
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.schedule import Handler, Payload


def schedules(settings: Settings, clock: Clock | None = None) -> Mapping[str, Handler]:
    """Kind → what is done."""
    rails, time = RailBook(settings), clock or SystemClock()

    def handler(act: Callable[[Change, str], Awaitable[None]]) -> Handler:
        async def handle(tx: Transaction, key: str, _payload: Payload, _due: datetime) -> None:
            await act(Change(tx, rails, time.now()), key)

        return handle

    kept = timedelta(days=settings.message_days)
    return {
        sweeping.KIND: sweeping.handler(forgotten.ages(kept), time),
        ATTEMPT_EXPIRY: handler(timing.expire_attempt),
        ATTEMPT_FOLLOW: handler(timing.follow_attempt),
        REFUND_FOLLOW: handler(lambda change, key: timing.follow_refund(change, UUID(key))),
        REFUND_RETRY: handler(lambda change, key: timing.retry_refund(change, UUID(key))),
    }
