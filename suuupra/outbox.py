"""The transactional outbox: events are rows of the transaction that decided them; the relay publishes the rows.

Whatever order transactions commit in, the events of one aggregate are numbered 1, 2, 3… without gaps, and a later
one never becomes visible before an earlier one: the aggregate's row in outbox_head is locked from the append until
the commit. A use case that appends for several aggregates should do it in one `append_many`, which takes those
locks in a fixed order; two use cases that append one by one in different orders may deadlock, and PostgreSQL then
ends one of them (DatabaseUnavailable, safe to retry).

NOTIFY wakes the relay at commit. PostgreSQL serialises the commits of notifying transactions (one lock per server),
which bounds a server to its fsync rate, some thousands of such commits a second.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction
from suuupra.events import Event
from suuupra.ids import new_id
from suuupra.telemetry import current_traceparent

CHANNEL: Final = "suuupra_outbox"
SHARDS: Final = 16
"""Into how many parts the outbox is divided for relays; the most relays that can share the work."""

LARGEST: Final = 512 * 1024
"""Bytes of an event's data, at most: with its headers it must fit into a message, for which Kafka allows 1 MiB."""

_APPEND: Final = text("""
WITH head AS (
    INSERT INTO outbox_head AS h (aggregate_id, sequence, types)
    VALUES (:aggregate_id, 1, jsonb_build_object(CAST(:type AS text), 1))
    ON CONFLICT (aggregate_id) DO UPDATE SET
        sequence = h.sequence + 1,
        after = h.types,
        types = h.types || jsonb_build_object(CAST(:type AS text), h.sequence + 1)
    RETURNING sequence, after)
INSERT INTO outbox (id, type, version, aggregate_id, sequence, after, shard, data, traceparent, occurred_at)
SELECT :id, :type, :version, :aggregate_id, sequence, after, :shard, CAST(:data AS json), :traceparent, :occurred_at
FROM head
RETURNING pg_notify(:channel, '')
""")

_ADVANCE: Final = text("""
INSERT INTO outbox_head AS h (aggregate_id, sequence, types)
SELECT aggregate_id, count, '{}' FROM unnest(CAST(:aggregates AS text[]), CAST(:counts AS bigint[]))
    AS t (aggregate_id, count)
ORDER BY aggregate_id
ON CONFLICT (aggregate_id) DO UPDATE SET sequence = h.sequence + excluded.sequence
RETURNING aggregate_id, sequence, types
""")

_APPEND_MANY: Final = text("""
WITH heads AS (
    UPDATE outbox_head h SET types = CAST(t.types AS jsonb), after = CAST(t.after AS jsonb)
    FROM unnest(CAST(:aggregates AS text[]), CAST(:head_types AS text[]), CAST(:head_afters AS text[]))
        AS t (aggregate_id, types, after)
    WHERE h.aggregate_id = t.aggregate_id)
INSERT INTO outbox (id, type, version, aggregate_id, sequence, after, shard, data, traceparent, occurred_at)
SELECT id, type, version, aggregate_id, sequence, CAST(after AS jsonb), shard, CAST(data AS json),
    CAST(:traceparent AS text), CAST(:occurred_at AS timestamptz)
FROM unnest(CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:versions AS integer[]), CAST(:subjects AS text[]),
        CAST(:sequences AS bigint[]), CAST(:afters AS text[]), CAST(:shards AS smallint[]), CAST(:data AS text[]))
    WITH ORDINALITY AS t (id, type, version, aggregate_id, sequence, after, shard, data, ordinal)
ORDER BY ordinal
""")


@dataclass(slots=True)
class _Head:
    """Where an aggregate stands while a batch is numbered."""

    sequence: int
    types: dict[str, int]
    after: dict[str, int]

    def advance(self, type_: str) -> None:
        self.sequence += 1
        self.after = self.types
        self.types = {**self.types, type_: self.sequence}


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    subject: str
    event: Event
    sequence: int
    after: dict[str, int]


class EventTooLarge(ValueError):
    """Kafka would refuse it, for ever. Put large things into a bucket and their key into the event."""


def _data(event: Event) -> str:
    data = event.model_dump_json()
    if len(data.encode()) > LARGEST:
        raise EventTooLarge(f"{event.type} has {len(data.encode())} bytes, more than {LARGEST}")
    return data


def shard_of(aggregate_id: str) -> int:
    """The part of the outbox an aggregate belongs to; the same for ever, whatever the Python version."""
    return zlib.crc32(aggregate_id.encode()) % SHARDS


async def append(
    tx: Transaction, aggregate_id: UUID | str, event: Event, *, at: datetime | None = None
) -> UUID:
    """Add an event to the transaction and return its id. `at` is the event's time, now by default.

    The key in Kafka, and the unit of order, is `aggregate_id`.
    """
    id_, subject = new_id(), str(aggregate_id)
    values = {
        "id": id_,
        "type": event.type,
        "version": event.version,
        "aggregate_id": subject,
        "shard": shard_of(subject),
        "data": _data(event),
        "traceparent": current_traceparent(),
        "occurred_at": at or datetime.now(UTC),
        "channel": CHANNEL,
    }
    await tx.execute(_APPEND, values)
    return id_


async def append_many(
    tx: Transaction, events: Iterable[tuple[UUID | str, Event]], *, at: datetime | None = None
) -> list[UUID]:
    """Add many events in the given order, in two statements however many there are; returns their ids."""
    given = [(str(aggregate_id), event) for aggregate_id, event in events]
    if not given:
        return []
    heads = await _lock_heads(tx, [subject for subject, _ in given])
    rows = [_number(heads[subject], subject, event) for subject, event in given]
    values = {**_row_columns(rows), **_head_columns(heads)}
    await tx.execute(
        _APPEND_MANY, {**values, "traceparent": current_traceparent(), "occurred_at": at or datetime.now(UTC)}
    )
    await tx.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
    return [row.id for row in rows]


async def _lock_heads(tx: Transaction, subjects: Sequence[str]) -> dict[str, _Head]:
    """Reserve the sequences of a batch and return where each aggregate stood before it."""
    counts: dict[str, int] = {}
    for subject in subjects:
        counts[subject] = counts.get(subject, 0) + 1
    values = {"aggregates": list(counts), "counts": list(counts.values())}
    found = await tx.execute(_ADVANCE, values)
    return {
        subject: _Head(sequence - counts[subject], types, types) for subject, sequence, types in found.all()
    }


def _number(head: _Head, subject: str, event: Event) -> _Row:
    head.advance(event.type)
    return _Row(new_id(), subject, event, head.sequence, head.after)


def _row_columns(rows: Sequence[_Row]) -> dict[str, list[Any]]:
    return {
        "ids": [row.id for row in rows],
        "types": [row.event.type for row in rows],
        "versions": [row.event.version for row in rows],
        "subjects": [row.subject for row in rows],
        "sequences": [row.sequence for row in rows],
        "afters": [json.dumps(row.after) for row in rows],
        "shards": [shard_of(row.subject) for row in rows],
        "data": [_data(row.event) for row in rows],
    }


def _head_columns(heads: dict[str, _Head]) -> dict[str, list[Any]]:
    return {
        "aggregates": list(heads),
        "head_types": [json.dumps(head.types) for head in heads.values()],
        "head_afters": [json.dumps(head.after) for head in heads.values()],
    }
