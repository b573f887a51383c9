"""What is over is deleted by age, a bounded number of rows at a time, by the schedule.

    MESSAGES = Swept("rail_message", "settled_at")                       # once, as a constant
    op.execute(sweeping.BEGIN)                                           # in a migration: the first sweep
    return {…, sweeping.KIND: sweeping.handler({MESSAGES: age}, clock)}  # in schedules.py

A row goes when its column is older than the age by the injected clock; one without a value there stays. Rows that
somebody has locked are left for the next sweep, so a sweep waits for nobody. The column wants an index.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, text

from suuupra import schedule
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.schedule import Handler, Payload

KIND: Final = "sweep"
BATCH: Final = 1000
"""Rows of one table that one sweep deletes."""
EVERY: Final = timedelta(minutes=10)
SOON: Final = timedelta(seconds=5)
"""When more may be waiting than one sweep deletes."""
BEGIN: Final = f"INSERT INTO scheduled (kind, key, due_at, next_at) VALUES ('{KIND}', 'all', now(), now())"  # noqa: S608
"""Asks for the first sweep; each asks for the next."""


@dataclass(frozen=True, slots=True)
class Swept:
    """Rows of a table by the column that says when they were over; `only`: a further condition, in SQL on `t`."""

    table: str
    column: str
    only: str = "true"


async def delete(tx: Transaction, rows: Swept, before: datetime) -> int:
    """Delete rows that were over before that time, BATCH at the most; how many went."""
    statement = text(f"""
        DELETE FROM {rows.table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {rows.table} t WHERE t.{rows.column} < CAST(:before AS timestamptz) AND ({rows.only})
            LIMIT :batch FOR UPDATE SKIP LOCKED))
    """)  # noqa: S608 - of constants
    done = await tx.execute(statement, {"before": before, "batch": BATCH})
    return cast("CursorResult[Any]", done).rowcount


def handler(ages: Mapping[Swept, timedelta], clock: Clock) -> Handler:
    """Deletes what is older than its age, one table after the other, and comes again."""

    async def sweep(tx: Transaction, key: str, _payload: Payload, _due: datetime) -> None:
        now, most = clock.now(), 0
        for rows, age in ages.items():
            most = max(most, await delete(tx, rows, now - age))
        await schedule.put(tx, KIND, key, now + (SOON if most >= BATCH else EVERY))

    return sweep
