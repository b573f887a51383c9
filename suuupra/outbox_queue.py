"""The relay's side of the outbox: which part of it is ours, what waits in it, what is done.

One connection does everything, so that a relay which lost its leases (they end with the connection) cannot mark
either. Two relays may then have sent the same events, but each in order, so the first copies are in order too.
"""

import math
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row

from suuupra.connecting import connected
from suuupra.outbox import CHANNEL, SHARDS

_LEASE: Final = 0x5375_0001
_MEMBER: Final = 0x5375_0002
"""First keys of our advisory locks: one exclusive lock per shard, and one shared lock that counts the relays."""

COUNTED: Final = 100_000
"""Where the lag in events stops being counted: more is as alarming, and costs seconds to count."""

_MEMBERS: Final = """
SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE locktype = 'advisory' AND classid = %s AND granted AND d.datname = current_database()
"""
_FETCH: Final = """
SELECT position, id::text, type, version, aggregate_id, sequence, after::text, data::text, traceparent, occurred_at
FROM outbox WHERE published_at IS NULL AND shard = ANY(%s) AND type <> ALL(%s) ORDER BY position LIMIT %s
"""
_LAG: Final = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float8
FROM (SELECT occurred_at FROM outbox WHERE published_at IS NULL AND shard = ANY(%s) ORDER BY position LIMIT %s) t
"""
_PRUNE: Final = """
DELETE FROM outbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM outbox WHERE published_at < now() - %s::interval ORDER BY published_at LIMIT %s))
"""
PRUNED_AT_ONCE: Final = 5_000


class Waiting(NamedTuple):
    """An event that has not been published, as it lies in the outbox."""

    position: int
    id: str
    type: str
    version: int
    aggregate_id: str
    sequence: int
    after: str
    data: str
    traceparent: str | None
    occurred_at: datetime


class Queue:
    """The shards of the outbox that this relay has leased."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._shards: set[int] = set()

    @property
    def shards(self) -> frozenset[int]:
        """What is leased now."""
        return frozenset(self._shards)

    async def balance(self) -> None:
        """Lease up to our fair share of the shards and let go of what is beyond it.

        What is in flight may be: whoever leases it next sends it again, which is what a lost lease does too.
        """
        cursor = await self._connection.execute(_MEMBERS, [_MEMBER])
        (members,) = await cursor.fetchone() or (1,)
        share = math.ceil(SHARDS / max(members, 1))
        for shard in sorted(self._shards)[share:]:
            await self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", [_LEASE, shard])
            self._shards.discard(shard)
        if len(self._shards) < share:
            await self._lease(share - len(self._shards))

    async def _lease(self, wanted: int) -> None:
        for shard in set(range(SHARDS)) - self._shards:
            cursor = await self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LEASE, shard])
            (leased,) = await cursor.fetchone() or (False,)
            if leased:
                self._shards.add(shard)
                wanted -= 1
            if wanted == 0:
                return

    async def fetch(self, limit: int, *, without: Collection[str]) -> Sequence[Waiting]:
        """The oldest waiting events, except those of some types."""
        async with self._connection.cursor(row_factory=class_row(Waiting)) as cursor:
            await cursor.execute(_FETCH, [list(self._shards), list(without), limit])
            return await cursor.fetchall()

    async def mark(self, positions: Iterable[int]) -> None:
        """Remember that these events are in Kafka."""
        statement = "UPDATE outbox SET published_at = now() WHERE position = ANY(%s)"
        await self._connection.execute(statement, [list(positions)])

    async def wait(self, limit: float) -> None:
        """Return when something was appended, or after `limit` seconds."""
        async for _ in self._connection.notifies(timeout=limit, stop_after=1):
            pass

    async def lag(self) -> tuple[int, float]:
        """How many events wait in our shards (counted up to COUNTED), and for how many seconds the oldest has."""
        cursor = await self._connection.execute(_LAG, [list(self._shards), COUNTED])
        events, seconds = await cursor.fetchone() or (0, 0.0)
        return events, seconds

    async def prune(self, keep: timedelta) -> int:
        """Delete up to PRUNED_AT_ONCE events that were published longer ago than `keep`; how many were deleted."""
        return (await self._connection.execute(_PRUNE, [keep, PRUNED_AT_ONCE])).rowcount


@asynccontextmanager
async def opened(url: str, application: str) -> AsyncIterator[Queue]:
    """Connect, listen and take part in the sharing of shards."""
    connection = await connected(
        AsyncConnection,
        url,
        autocommit=True,
        application_name=application,
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
        options="-c statement_timeout=30000 -c timezone=UTC",
    )
    async with connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        await connection.execute("SELECT pg_advisory_lock_shared(%s, 0)", [_MEMBER])
        yield Queue(connection)
