"""The inbox's tables: what has had its effect, how far each aggregate is, what is parked."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction
from suuupra.events import Headers, Message
from suuupra.inbox_plan import Aggregate, Baseline, Delivery, Joined, Progress

Key = tuple[UUID, str]
"""Event id and source: what makes an event one event."""

OVERDUE_AT_ONCE: Final = 500
PRUNED_AT_ONCE: Final = 5_000

_JOINED: Final = ("topic", "partition", "partitions", "first_offset", "time")

# A dead letter that comes back (redrive) is new again; anything else that is known is a duplicate.
_CLAIM: Final = text("""
INSERT INTO inbox AS i (id, source, outcome, settled_at)
SELECT id, source, :outcome, :now FROM json_to_recordset(CAST(:keys AS json)) AS t (id uuid, source text)
ORDER BY id, source
ON CONFLICT (id, source) DO UPDATE SET outcome = excluded.outcome, settled_at = excluded.settled_at WHERE i.outcome = 'dead'
RETURNING id, source
""")
_SETTLE: Final = text("""
UPDATE inbox SET outcome = :outcome, settled_at = :now
FROM json_to_recordset(CAST(:keys AS json)) AS t (id uuid, source text)
WHERE inbox.id = t.id AND inbox.source = t.source
""")
_PROGRESS: Final = text("""
SELECT p.source, p.aggregate_id, p.types FROM inbox_progress p
JOIN json_to_recordset(CAST(:aggregates AS json)) AS t (source text, aggregate_id text)
    ON p.source = t.source AND p.aggregate_id = t.aggregate_id
ORDER BY p.aggregate_id, p.source FOR UPDATE OF p
""")
_ADVANCE: Final = text("""
INSERT INTO inbox_progress AS p (source, aggregate_id, types)
SELECT source, aggregate_id, types
FROM json_to_recordset(CAST(:progress AS json)) AS t (source text, aggregate_id text, types jsonb)
ORDER BY aggregate_id, source
ON CONFLICT (aggregate_id, source) DO UPDATE SET types = p.types || excluded.types
""")
_PARK: Final = text("""
INSERT INTO inbox_parked
    (id, source, aggregate_id, sequence, after, topic, partition, "offset", key, value, headers, parked_at)
VALUES (:id, :source, :aggregate_id, :sequence, CAST(:after AS jsonb), :topic, :partition, :offset, :key, :value, :headers, :now)
""")
_UNPARK: Final = text("DELETE FROM inbox_parked WHERE id = :id AND source = :source")
# Nothing but its row says which event it is. Its headers tell it from one at the same offset of a topic made anew.
_UNPARK_UNREADABLE: Final = text("""
DELETE FROM inbox_parked WHERE topic = :topic AND partition = :partition AND "offset" = :offset AND headers = :headers
RETURNING id, source, aggregate_id, sequence
""")
_DUE: Final = text("""
SELECT p.topic, p.partition, p."offset", p.key, p.value, p.headers
FROM inbox_parked p LEFT JOIN inbox_progress g USING (source, aggregate_id)
WHERE (CAST(:aggregates AS text[]) IS NULL OR p.aggregate_id = ANY(:aggregates))
  AND NOT EXISTS (
    SELECT FROM jsonb_each_text(p.after) AS a (type, sequence)
    WHERE a.type = ANY(:types) AND coalesce((g.types ->> a.type)::bigint, 0) < a.sequence::bigint)
ORDER BY p.aggregate_id, p.sequence LIMIT 100
""")
# Of each aggregate the first, if all that it awaits was awaited for too long or cannot come any more: it is of a topic
# that had been trimmed, nothing of it was had, and whatever was there when the event was parked is settled.
_OVERDUE: Final = text("""
SELECT p.topic, p.partition, p."offset", p.key, p.value, p.headers
FROM inbox_parked p LEFT JOIN inbox_progress g USING (source, aggregate_id)
WHERE NOT EXISTS (
    SELECT FROM inbox_parked q
    WHERE q.aggregate_id = p.aggregate_id AND q.source = p.source AND q.sequence < p.sequence)
  AND p.parked_at <= :latest AND NOT EXISTS (
    SELECT FROM jsonb_each_text(p.after) AS a (type, sequence)
    WHERE a.type = ANY(:types) AND coalesce((g.types ->> a.type)::bigint, 0) < a.sequence::bigint
      AND p.parked_at > CAST(CAST(:awaited_since AS jsonb) ->> a.type AS timestamptz)
      AND NOT (g.types -> a.type IS NULL
               AND coalesce(p.parked_at < CAST(CAST(:removed AS jsonb) ->> a.type AS timestamptz), false)))
ORDER BY p.parked_at LIMIT :most
""")
_PRUNE: Final = text("""
DELETE FROM inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox WHERE outcome = 'done' AND settled_at < :before ORDER BY settled_at LIMIT :most))
""")
_JOIN: Final = text("""
INSERT INTO inbox_joined (topic, partition, partitions, first_offset, time)
VALUES (:topic, :partition, :partitions, :first_offset, :time) ON CONFLICT DO NOTHING
""")
_CAUGHT_UP: Final = text("""
UPDATE inbox_joined SET caught_up_at = :now WHERE (topic, partition) IN (
    SELECT topic, partition FROM json_to_recordset(CAST(:partitions AS json)) AS t (topic text, partition integer))
""")


def key_of(delivery: Delivery) -> Key:
    """What makes the event of a delivery one event."""
    return (delivery.meta.id, delivery.meta.source)


async def claim(tx: Transaction, keys: Collection[Key], now: datetime, outcome: str = "done") -> set[Key]:
    """Record events as settled and return those that were not before: only they may have an effect."""
    found = await tx.execute(_CLAIM, {"keys": _json(keys), "outcome": outcome, "now": now})
    return {(id_, source) for id_, source in found.all()}


async def settle(tx: Transaction, keys: Collection[Key], outcome: str, now: datetime) -> None:
    """Change how claimed events are recorded."""
    await tx.execute(_SETTLE, {"keys": _json(keys), "outcome": outcome, "now": now})


def _json(keys: Collection[Key]) -> str:
    """Rows as one JSON parameter: an array of texts costs the driver several times as much."""
    return json.dumps([{"id": str(id_), "source": source} for id_, source in keys])


async def progress_of(tx: Transaction, aggregates: Iterable[Aggregate]) -> dict[Aggregate, Progress]:
    """Where aggregates stand; those that are known stay locked until the transaction ends."""
    rows = [{"source": source, "aggregate_id": subject} for source, subject in set(aggregates)]
    values = {"aggregates": json.dumps(rows)}
    found = await tx.execute(_PROGRESS, values)
    return {(source, subject): types for source, subject, types in found.all()}


async def advance(tx: Transaction, progress: Mapping[Aggregate, Progress]) -> None:
    """Record where aggregates stand now."""
    if progress:
        rows = [
            {"source": source, "aggregate_id": subject, "types": types}
            for (source, subject), types in progress.items()
        ]
        await tx.execute(_ADVANCE, {"progress": json.dumps(rows)})


async def park(tx: Transaction, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Keep events until those they follow have had their effect."""
    if deliveries:
        await settle(tx, [key_of(delivery) for delivery in deliveries], "parked", now)
        await tx.execute(_PARK, [{**_parked_row(delivery), "now": now} for delivery in deliveries])


def _parked_row(delivery: Delivery) -> dict[str, Any]:
    meta = delivery.meta
    return {
        "id": meta.id,
        "source": meta.source,
        "aggregate_id": meta.subject,
        "sequence": meta.sequence,
        "after": json.dumps(dict(meta.after)),
        "topic": meta.topic,
        "partition": meta.partition,
        "offset": meta.offset,
        "key": delivery.message.key,
        "value": delivery.message.value,
        "headers": _packed(delivery.message.headers),
    }


async def unpark(tx: Transaction, key: Key, outcome: str, now: datetime) -> bool:
    """Take an event out of the parked ones; False when another process already has."""
    id_, source = key
    taken = await tx.execute(_UNPARK, {"id": id_, "source": source})
    if taken.rowcount == 0:  # type: ignore[attr-defined]
        return False
    await settle(tx, [key], outcome, now)
    return True


async def unpark_unreadable(tx: Transaction, message: Message, now: datetime) -> dict[Aggregate, int]:
    """Take events whose headers cannot be read out of the parked ones, as dead; their aggregates and sequences."""
    values = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "headers": _packed(message.headers),
    }
    rows = (await tx.execute(_UNPARK_UNREADABLE, values)).all()
    await settle(tx, [(id_, source) for id_, source, _, _ in rows], "dead", now)
    return {(source, subject): sequence for _, source, subject, sequence in rows}


async def due(tx: Transaction, types: Collection[str], subjects: Collection[str] | None) -> list[Message]:
    """Up to 100 parked events that nothing stands before any more, of some aggregates or of all."""
    values = {"types": list(types), "aggregates": None if subjects is None else list(subjects)}
    return [_unpacked(*row) for row in (await tx.execute(_DUE, values)).all()]


async def overdue(
    tx: Transaction, *, awaited_since: Mapping[str, datetime], removed: Mapping[str, datetime]
) -> list[Message]:
    """The first parked event of each of up to OVERDUE_AT_ONCE aggregates whose wait is over.

    That is: it awaits only what never comes, since it was parked before the type's time in `removed`, or what is given
    up, since it was parked by the type's time in `awaited_since`, which names every type that is consumed.
    """
    values = {
        "types": list(awaited_since),
        "awaited_since": _times(awaited_since),
        "removed": _times(removed),
        "latest": max([*awaited_since.values(), *removed.values()]),
        "most": OVERDUE_AT_ONCE,
    }
    return [_unpacked(*row) for row in (await tx.execute(_OVERDUE, values)).all()]


def _times(of_types: Mapping[str, datetime]) -> str:
    return json.dumps({type_: time.isoformat() for type_, time in of_types.items()})


async def waiting(tx: Transaction, aggregates: Iterable[Aggregate]) -> set[Aggregate]:
    """Those of some aggregates of which events are parked."""
    subjects = list({subject for _, subject in aggregates})
    statement = text(
        "SELECT DISTINCT source, aggregate_id FROM inbox_parked WHERE aggregate_id = ANY(:subjects)"
    )
    found = await tx.execute(statement, {"subjects": subjects})
    return {(source, subject) for source, subject in found.all()}


async def join(tx: Transaction, joined: Joined) -> None:
    """Record where the group began to read a partition; what is recorded already stands."""
    await tx.execute(_JOIN, {field: getattr(joined, field) for field in _JOINED})


async def caught_up(tx: Transaction, partitions: Iterable[tuple[str, int]], now: datetime) -> None:
    """Record that everything that was in some partitions by `now` is settled."""
    rows = [{"topic": topic, "partition": partition} for topic, partition in partitions]
    await tx.execute(_CAUGHT_UP, {"partitions": json.dumps(rows), "now": now})


async def baseline(tx: Transaction) -> Baseline:
    """Where the group began to read."""
    rows = await tx.execute(
        text("SELECT topic, partition, partitions, first_offset, time, caught_up_at FROM inbox_joined")
    )
    return Baseline(Joined(*row) for row in rows.all())


async def parked(tx: Transaction) -> tuple[int, datetime | None]:
    """How many events are parked, and since when the first of them is."""
    count, since = (await tx.execute(text("SELECT count(*), min(parked_at) FROM inbox_parked"))).one()
    return count, since


async def prune(tx: Transaction, before: datetime) -> int:
    """Forget up to PRUNED_AT_ONCE events that had their effect before then; how many there were."""
    gone = await tx.execute(_PRUNE, {"before": before, "most": PRUNED_AT_ONCE})
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _packed(headers: Headers) -> bytes:
    """Headers as bytes. Their values may be any bytes: Latin-1 carries them through JSON unchanged."""
    return json.dumps([[name, value.decode("latin-1")] for name, value in headers]).encode()


def _unpacked(
    topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, headers: bytes
) -> Message:
    pairs = [(name, content.encode("latin-1")) for name, content in json.loads(headers)]
    return Message(topic, partition, offset, key, value, pairs)
