"""What the ledger does at a time: it releases holds that nobody resolved."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.ledger.settings import Settings
from services.ledger.usecases import holds
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.schedule import Handler, Payload


def schedules(settings: Settings, clock: Clock | None = None) -> Mapping[str, Handler]:
    """Kind of work → what does it."""
    time_source = clock or SystemClock()

    async def expire(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        await holds.expire(tx, time_source, UUID(key))

    return {holds.EXPIRY: expire}
