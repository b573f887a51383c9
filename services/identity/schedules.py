"""What identity does when it is due: letters are sent, and what is over is deleted."""

from collections.abc import Mapping

from services.identity.settings import Settings
from services.identity.store.sweeping import AGES
from services.identity.usecases import writing
from suuupra import sweeping
from suuupra.clock import Clock, SystemClock
from suuupra.schedule import Handler
from suuupra.smtp import Mailer


def schedules(settings: Settings, clock: Clock | None = None) -> Mapping[str, Handler]:
    """Kind → handler."""
    time_source = clock or SystemClock()
    writer = writing.Writer(Mailer.of(settings, time_source), settings.public_url, time_source)
    return {writing.SCHEDULE: writer.send, sweeping.KIND: sweeping.handler(AGES, time_source)}
