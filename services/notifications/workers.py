"""What runs beside the consumer in the work process: the postman, who sends what is due."""

import asyncio
from collections.abc import Sequence
from typing import Final

from prometheus_client import Gauge

from services.notifications.settings import Settings
from services.notifications.store import mails
from services.notifications.usecases.letters import Letters
from services.notifications.usecases.sending import Desk, send_next
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database
from suuupra.halting import Haltable
from suuupra.rounds import Rounds
from suuupra.running import Runnable
from suuupra.smtp import Mailer, mailbox

PARALLEL: Final = 4
"""Mails on their way at once from one process: what a mail server takes seconds for must not hold up the others."""
POLL_SECONDS: Final = 5.0
"""How often is looked at least: the safety net under NOTIFY, and how late a dead sender's claim is noticed."""
GRACE_SECONDS: Final = 15.0
"""How long mails in hand may take when the process stops: longer than the mail server's time limit."""

_backlog = Gauge("suuupra_mail_backlog", "Mails on their way.", ["state"])
_oldest = Gauge("suuupra_mail_oldest_seconds", "Age of the oldest mail that is due.")


def workers(settings: Settings) -> Sequence[Runnable]:
    """The postman."""
    database = Database(settings.database_url, application=f"{settings.name}-mail", pool_size=PARALLEL + 1)
    clock = SystemClock()
    desk = Desk(
        database,
        Mailer.of(settings, clock),
        Letters(settings.public_url, settings.zone),
        clock,
        mailbox(settings.smtp_sender),
    )
    return [Postman(desk)]


class Postman:
    """Sends mail that is due, until it is stopped. Several share the work."""

    name = "postman"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._clock: Clock = desk.clock
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._rounds = Rounds(self.name, desk.database, desk.clock, channel=mails.BELL)

    async def run(self) -> None:
        """Send what is due until stop()."""
        try:
            await self._halt.run(self._rounds.run(self._round))
        finally:
            await self._desk.database.close()

    async def stop(self) -> None:
        """Finish the mails in hand."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why nothing is being sent."""
        return self._rounds.trouble

    async def send_due(self) -> int:
        """Send all that is due now; how many attempts that took. What `run` does, and tests."""
        async with self._desk.database.transaction() as tx:
            await mails.give_up(tx, self._clock.now())
        attempts = 0
        # All to their end: one that fails must not leave the others running behind its back.
        for outcome in await asyncio.gather(
            *(self._drain() for _ in range(PARALLEL)), return_exceptions=True
        ):
            if isinstance(outcome, BaseException):
                raise outcome
            attempts += outcome
        return attempts

    async def _round(self) -> float:
        await self.send_due()
        return await self._pause()

    async def _pause(self) -> float:
        async with self._desk.database.reading() as tx:
            first, on_the_way = await mails.next_at(tx), await mails.backlog(tx)
        now = self._clock.now()
        for state in ("waiting", "due", "sending"):
            _backlog.labels(state).set(on_the_way[state][0] if state in on_the_way else 0)
        due = [on_the_way[state][1] for state in ("due", "sending") if state in on_the_way]
        _oldest.set(max(0.0, (now - min(due)).total_seconds()) if due else 0.0)
        wait = POLL_SECONDS if first is None else (first - now).total_seconds()
        return min(max(wait, 0.05), POLL_SECONDS)

    async def _drain(self) -> int:
        attempts = 0
        while not self._halt.halting:
            with self._halt.busy():
                if await send_next(self._desk) is None:
                    break
            attempts += 1
        return attempts
