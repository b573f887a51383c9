"""The inbox's tables: what has had its effect, how far each aggregate is, what is parked."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction
from suuupra.events import Headers, Message
from suuupra.inbox_plan import Aggregate, Delivery, Progress

Key = tuple[UUID, str]
"""Event id and source: what makes an event one event."""

# A dead letter that comes back (redrive) is new again; anything else that is known is a duplicate.
_CLAIM: Final = text("""
INSERT INTO inbox AS i (id, source, outcome)
SELECT id, source, :outcome FROM json_to_recordset(CAST(:keys AS json)) AS t (id uuid, source text)
ORDER BY id, source
ON CONFLICT (id, source) DO UPDATE SET outcome = excluded.outcome, settled_at = now() WHERE i.outcome = 'dead'
RETURNING id, source
""")
_SETTLE: Final = text("""
UPDATE inbox SET outcome = :outcome, settled_at = now()
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
    (id, source, aggregate_id, sequence, after, topic, partition, "offset", key, value, headers)
VALUES (:id, :source, :aggregate_id, :sequence, CAST(:after AS jsonb), :topic, :partition, :offset, :key, :value, :headers)
""")
_UNPARK: Final = text("DELETE FROM inbox_parked WHERE id = :id AND source = :source")
_DUE: Final = text("""
SELECT p.topic, p.partition, p."offset", p.key, p.value, p.headers
FROM inbox_parked p LEFT JOIN inbox_progress g USING (source, aggregate_id)
WHERE (CAST(:aggregates AS text[]) IS NULL OR p.aggregate_id = ANY(:aggregates))
  AND NOT EXISTS (
    SELECT FROM jsonb_each_text(p.after) AS a (type, sequence)
    WHERE a.type = ANY(:types) AND coalesce((g.types ->> a.type)::bigint, 0) < a.sequence::bigint)
ORDER BY p.aggregate_id, p.sequence LIMIT 100
""")
_OVERDUE: Final = text("""
SELECT DISTINCT ON (source, aggregate_id) topic, partition, "offset", key, value, headers
FROM inbox_parked WHERE parked_at < now() - CAST(:patience AS interval)
ORDER BY source, aggregate_id, sequence LIMIT 100
""")
# Ids are UUIDv7: the lowest are the oldest.
_PRUNE: Final = text("""
WITH oldest AS (SELECT id, source, outcome, settled_at FROM inbox ORDER BY id LIMIT 5000)
DELETE FROM inbox USING oldest
WHERE inbox.id = oldest.id AND inbox.source = oldest.source
  AND oldest.outcome = 'done' AND oldest.settled_at < now() - CAST(:keep AS interval)
""")


def key_of(delivery: Delivery) -> Key:
    """What makes the event of a delivery one event."""
    return (delivery.meta.id, delivery.meta.source)


async def claim(tx: Transaction, keys: Collection[Key], outcome: str = "done") -> set[Key]:
    """Record events as settled and return those that were not before: only they may have an effect."""
    found = await tx.execute(_CLAIM, {"keys": _json(keys), "outcome": outcome})
    return {(id_, source) for id_, source in found.all()}


async def settle(tx: Transaction, keys: Collection[Key], outcome: str) -> None:
    """Change how claimed events are recorded."""
    await tx.execute(_SETTLE, {"keys": _json(keys), "outcome": outcome})


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


async def park(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
    """Keep events until those they follow have had their effect."""
    if deliveries:
        await settle(tx, [key_of(delivery) for delivery in deliveries], "parked")
        await tx.execute(_PARK, [_parked_row(delivery) for delivery in deliveries])


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


async def unpark(tx: Transaction, key: Key, outcome: str) -> bool:
    """Take an event out of the parked ones; False when another process already has."""
    id_, source = key
    taken = await tx.execute(_UNPARK, {"id": id_, "source": source})
    if taken.rowcount == 0:  # type: ignore[attr-defined]
        return False
    await settle(tx, [key], outcome)
    return True


async def due(tx: Transaction, types: Collection[str], subjects: Collection[str] | None) -> list[Message]:
    """Up to 100 parked events that nothing stands before any more, of some aggregates or of all."""
    values = {"types": list(types), "aggregates": None if subjects is None else list(subjects)}
    return [_unpacked(*row) for row in (await tx.execute(_DUE, values)).all()]


async def overdue(tx: Transaction, patience: timedelta) -> list[Message]:
    """The first parked event of up to 100 aggregates for which what is missing has been awaited long enough."""
    return [_unpacked(*row) for row in (await tx.execute(_OVERDUE, {"patience": patience})).all()]


async def parked_count(tx: Transaction) -> int:
    """How many events are parked."""
    found: int = await tx.scalar(text("SELECT count(*) FROM inbox_parked"))
    return found


async def prune(tx: Transaction, keep: timedelta) -> None:
    """Forget those of the 5000 oldest events that had their effect longer ago than `keep`."""
    await tx.execute(_PRUNE, {"keep": keep})


def _packed(headers: Headers) -> bytes:
    """Headers as bytes. Their values may be any bytes: Latin-1 carries them through JSON unchanged."""
    return json.dumps([[name, value.decode("latin-1")] for name, value in headers]).encode()


def _unpacked(
    topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, headers: bytes
) -> Message:
    pairs = [(name, content.encode("latin-1")) for name, content in json.loads(headers)]
    return Message(topic, partition, offset, key, value, pairs)
