"""Work that is due at a time: expiries, timers, retries. Due rows of a table, handled once, by the injected clock.

    await schedule.put(tx, "order.expiry", order.id, due_at, {"number": order.number})   # in the use case
    await schedule.cancel(tx, "order.expiry", order.id)

services/NAME/schedules.py:

    def schedules(settings: Settings) -> Mapping[str, schedule.Handler]:
        return {"order.expiry": expire}

    async def expire(tx: Transaction, key: str, payload: Payload, due: datetime) -> None: ...

`suuupra work` runs them; a service's migration makes the table with `create_table(op)`. The handler's effect and the
end of its row are one transaction, so a process that dies in between leaves both undone and another one does it at
once. A handler that fails is tried again with growing pauses, for as long as its row is there, and holds up nobody.

Nobody ever waits for a row of this table: one that is being handled is skipped by `put` and `cancel` too. So a use
case may call them whatever it has locked, and a handler may lock what it decides about, without a deadlock. It also
means that **a handler that has begun is not stopped**: it locks its aggregate, looks whether its work is still to
be done, and otherwise returns. (That is why there is no unique index: a row put while its predecessor is being
handled stands beside it until that one ends. Otherwise there is one row for a kind and key.)

Whether something is due is asked of the clock, never of SQL's now(): a test moves it, and a server's clock that is
wrong expires nothing.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from prometheus_client import Counter, Gauge
from sqlalchemy import text

from suuupra import logs
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database, DatabaseUnavailable, StatementEnded, Transaction
from suuupra.halting import Haltable
from suuupra.rounds import Rounds

CHANNEL: Final = "suuupra_schedule"
POLL_SECONDS: Final = 5.0
"""How often is looked at least, in the clock's seconds: the safety net under NOTIFY."""
BUSY_SECONDS: Final = 0.1
"""How often is looked at least while something due is being handled by another process."""
PARALLEL: Final = 4
"""Rows handled at once by one process."""
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=5)
GRACE_SECONDS: Final = 10.0
_LOCKS: Final = 0x5375_0003
"""First key of the advisory locks that let one `put` of a kind and key follow another."""

Payload = dict[str, Any]
Handler = Callable[[Transaction, str, Payload, datetime], Awaitable[None]]
"""Does what is due: (transaction, key, payload, the time it was due at)."""

_CREATE: Final = """
CREATE TABLE scheduled (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text        NOT NULL,
    key      text        NOT NULL,
    due_at   timestamptz NOT NULL,
    next_at  timestamptz NOT NULL,
    attempts integer     NOT NULL DEFAULT 0,
    payload  jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX scheduled_next ON scheduled (next_at);
CREATE INDEX scheduled_key ON scheduled (kind, key);
COMMENT ON TABLE scheduled IS 'What is to be done at a time; a row ends with its effect.';
COMMENT ON COLUMN scheduled.due_at IS 'When it was asked for.';
COMMENT ON COLUMN scheduled.next_at IS 'When it is tried: due_at, or later after attempts that failed.';
"""
_LOCK: Final = text(
    "SELECT pg_advisory_xact_lock(:locks, hashtext(CAST(:kind AS text) || ' ' || CAST(:key AS text)))"
)
_REMOVE: Final = text("""
DELETE FROM scheduled WHERE id IN (
    SELECT id FROM scheduled WHERE kind = :kind AND key = :key FOR UPDATE SKIP LOCKED)
""")
_INSERT: Final = text("""
INSERT INTO scheduled (kind, key, due_at, next_at, payload)
VALUES (:kind, :key, :due_at, :due_at, CAST(:payload AS jsonb))
RETURNING pg_notify(:channel, :note)
""")
_REPLACE: Final = text("""
WITH gone AS (DELETE FROM scheduled WHERE id IN (
    SELECT id FROM scheduled WHERE kind = :kind AND key = :key FOR UPDATE SKIP LOCKED))
INSERT INTO scheduled (kind, key, due_at, next_at, payload)
VALUES (:kind, :key, :due_at, :due_at, CAST(:payload AS jsonb))
RETURNING pg_notify(:channel, :note)
""")
_CLAIM: Final = text("""
DELETE FROM scheduled s WHERE s.id = (
    SELECT id FROM scheduled WHERE next_at <= :now AND kind = ANY(:kinds) AND id <> ALL(CAST(:in_hand AS bigint[]))
    ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING s.id, s.kind, s.key, s.due_at, s.attempts, s.payload,
    EXISTS (SELECT FROM scheduled n WHERE n.kind = s.kind AND n.key = s.key AND n.id > s.id)
""")
_NEXT: Final = text("SELECT min(next_at) FROM scheduled WHERE kind = ANY(:kinds)")
_POSTPONE: Final = text("""
UPDATE scheduled SET attempts = attempts + 1, next_at = :next_at
WHERE id = (SELECT id FROM scheduled WHERE id = :id FOR UPDATE SKIP LOCKED)
""")

_log = logs.get_logger(__name__)
_done = Counter("suuupra_schedule_done_total", "Scheduled work that had its effect.", ["kind"])
_failed = Counter("suuupra_schedule_failures_total", "Attempts at scheduled work that failed.", ["kind"])
_overdue = Gauge("suuupra_schedule_overdue_seconds", "How long the most overdue work has waited.")


class _Migrates(Protocol):
    def execute(self, sqltext: str) -> Any: ...


def create_table(op: _Migrates) -> None:
    """Make the table, in a migration of the service. What it makes never changes: databases were made with it."""
    op.execute(_CREATE)


async def put(
    tx: Transaction,
    kind: str,
    key: UUID | str,
    due_at: datetime,
    payload: Mapping[str, Any] | None = None,
    *,
    first: bool = False,
    locked: bool = False,
) -> None:
    """Have the handler of `kind` called for `key` at `due_at` (aware); what was put before for both is replaced.

    `first` says that nothing was, as for an aggregate that is being made. `locked` says that whoever puts this kind
    and key has locked the aggregate before. Each saves a statement.
    """
    if due_at.tzinfo is None:
        raise ValueError("due_at must be an aware datetime")
    same = {"kind": kind, "key": str(key)}
    if not (first or locked):  # by itself: what the next statement sees includes what the last holder put
        await tx.execute(_LOCK, {**same, "locks": _LOCKS})
    bell = {"channel": CHANNEL, "note": due_at.isoformat()}
    values = {**same, **bell, "due_at": due_at, "payload": json.dumps(payload or {})}
    await tx.execute(_INSERT if first else _REPLACE, values)


async def cancel(tx: Transaction, kind: str, key: UUID | str) -> None:
    """Forget what was put for `kind` and `key`. A handler that has begun goes on; see the module."""
    await tx.execute(_REMOVE, {"kind": kind, "key": str(key)})


@dataclass(frozen=True, slots=True)
class _Due:
    id: int
    kind: str
    key: str
    due_at: datetime
    attempts: int
    payload: Payload
    superseded: bool
    """A newer row was put for its kind and key while this one was being tried."""


class _InHand(Exception):
    """The row came into hand after the question was put: it failed just now, and is about to be postponed.

    Raised, not returned: the claim is a DELETE, which an ordinary end of the transaction would commit.
    """


class Scheduler:
    """Calls the handlers of what is due, until it is stopped. Several processes share the work."""

    name = "scheduler"

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        clock: Clock | None = None,
        *,
        parallel: int = PARALLEL,
    ) -> None:
        self._database = database
        self._handlers = dict(handlers)
        self._clock = clock or SystemClock()
        self._parallel = parallel
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._rounds = Rounds(self.name, database, self._clock, channel=CHANNEL)
        self._in_hand: set[int] = set()
        """Rows that are being tried: between a failure and its postponement nothing locks them."""

    async def run(self) -> None:
        """Handle what is due until stop()."""
        await self._halt.run(self._rounds.run(self._round))

    async def stop(self) -> None:
        """Finish the handlers in hand, for at most GRACE_SECONDS."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why nothing is being done."""
        return self._rounds.trouble

    async def handle_due(self) -> int:
        """Handle all that is due now and return; how many rows had their effect. What `run` does, and tests."""
        drains = (self._drain() for _ in range(self._parallel))
        done = 0
        for outcome in await asyncio.gather(*drains, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
            done += outcome
        return done

    async def _round(self) -> float:
        wait = await self._wait()
        if wait <= 0:  # to claim what is not there would cost ten times as much as looking
            await self.handle_due()
            wait = await self._wait()
        return max(wait, BUSY_SECONDS)

    async def _wait(self) -> float:
        """Seconds until something is due, at most POLL_SECONDS; below zero: for how long it has been."""
        async with self._database.reading() as tx:
            first: datetime | None = await tx.scalar(_NEXT, {"kinds": list(self._handlers)})
        wait = POLL_SECONDS if first is None else (first - self._clock.now()).total_seconds()
        _overdue.set(max(0.0, -wait))
        return min(wait, POLL_SECONDS)

    async def _drain(self) -> int:
        done = 0
        while not self._halt.halting:
            with self._halt.busy():
                handled = await self._next()
            if handled is None:
                break
            done += handled
        return done

    async def _next(self) -> bool | None:
        """Handle one row: whether it had its effect, or None when nothing is due."""
        due: _Due | None = None
        try:
            async with self._database.transaction() as tx:
                due = await self._claim(tx)
                if due is None or due.superseded:
                    return None if due is None else False
                await self._handlers[due.kind](tx, due.key, due.payload, due.due_at)
        except _InHand:
            return None
        except Exception as error:
            if due is None or _is_away(error):
                raise
            await self._postpone(due, error)
            return False
        finally:
            if due is not None:
                self._in_hand.discard(due.id)
        _done.labels(due.kind).inc()
        return True

    async def _claim(self, tx: Transaction) -> _Due | None:
        values = {
            "now": self._clock.now(),
            "kinds": list(self._handlers),
            "in_hand": list(self._in_hand),
        }
        row = (await tx.execute(_CLAIM, values)).one_or_none()
        if row is None:
            return None
        if row.id in self._in_hand:
            raise _InHand
        self._in_hand.add(row.id)
        return _Due(*row)

    async def _postpone(self, due: _Due, cause: Exception) -> None:
        """Try again later."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(due.attempts, 16))
        next_at = self._clock.now() + pause * random.uniform(0.8, 1.0)  # noqa: S311 (so that many do not return in step)
        _failed.labels(due.kind).inc()
        _log.error(
            "scheduled work failed", kind=due.kind, key=due.key, attempt=due.attempts + 1, exc_info=cause
        )
        async with self._database.transaction() as tx:
            await tx.execute(_POSTPONE, {"id": due.id, "next_at": next_at})


def _is_away(error: Exception) -> bool:
    """Whether PostgreSQL is: that says nothing about the row."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, StatementEnded)
