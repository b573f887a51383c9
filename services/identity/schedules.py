"""What identity does when it is due: letters are sent, and what is over is deleted."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from services.identity.settings import Settings
from services.identity.store import sweeping
from services.identity.usecases import writing
from suuupra import schedule
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.schedule import Handler, Payload
from suuupra.smtp import Mailer

SWEEP: Final = "sweep"
SWEEP_EVERY: Final = timedelta(minutes=10)
SWEEP_ON: Final = timedelta(seconds=5)
"""When more may be waiting than one sweep deletes."""


def schedules(settings: Settings, clock: Clock | None = None) -> Mapping[str, Handler]:
    """Kind → handler."""
    time_source = clock or SystemClock()
    writer = writing.Writer(Mailer.of(settings, time_source), settings.public_url, time_source)

    async def sweep(tx: Transaction, key: str, payload: Payload, due: datetime) -> None:
        """Delete what is over, and come again."""
        now = time_source.now()
        most = await sweeping.sweep(tx, now)
        await schedule.put(tx, SWEEP, key, now + (SWEEP_ON if most >= sweeping.BATCH else SWEEP_EVERY))

    return {writing.SCHEDULE: writer.send, SWEEP: sweep}
