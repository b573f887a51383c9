"""The kit's own tables in a service's database: outbox, inbox and idempotency.

A service's first migration calls `create(op)`. Until the first release what `create` makes may still change: a
database that was made before is made again. From then on it never changes, because databases exist that were made
with it: a later change of the kit's tables is a new function here (`second_version(op)`), called by a new version of
each service.
"""

from typing import Any, Final, Protocol

from suuupra import idempotency

_OUTBOX: Final = """
CREATE TABLE outbox_head (
    aggregate_id text   PRIMARY KEY,
    sequence     bigint NOT NULL,
    types        jsonb  NOT NULL,
    after        jsonb  NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
COMMENT ON TABLE outbox_head IS 'Last event of each aggregate; its row lock makes sequences gapless and ordered.';
COMMENT ON COLUMN outbox_head.types IS 'Event type to its last sequence.';
COMMENT ON COLUMN outbox_head.after IS 'What types was before the last event.';

CREATE TABLE outbox (
    position     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid        NOT NULL,
    type         text        NOT NULL,
    version      integer     NOT NULL,
    aggregate_id text        NOT NULL,
    sequence     bigint      NOT NULL,
    after        jsonb       NOT NULL,
    shard        smallint    NOT NULL,
    data         json        NOT NULL,
    traceparent  text,
    occurred_at  timestamptz NOT NULL,
    published_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX outbox_pending ON outbox (position) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
COMMENT ON TABLE outbox IS 'Events to publish, in order; kept for a while after.';
"""

_INBOX: Final = """
CREATE TABLE inbox (
    id         uuid        NOT NULL,
    source     text        NOT NULL,
    outcome    text        NOT NULL CHECK (outcome IN ('done', 'parked', 'dead')),
    settled_at timestamptz NOT NULL,
    PRIMARY KEY (id, source)
);
CREATE INDEX inbox_done ON inbox (settled_at) WHERE outcome = 'done';
COMMENT ON TABLE inbox IS 'Events that have had their effect, are parked, or were given up: each counts once.';

CREATE TABLE inbox_progress (
    aggregate_id text  NOT NULL,
    source       text  NOT NULL,
    types        jsonb NOT NULL,
    PRIMARY KEY (aggregate_id, source)
) WITH (fillfactor = 70);
COMMENT ON COLUMN inbox_progress.types IS 'Event type to the last sequence that had its effect.';

CREATE TABLE inbox_parked (
    id           uuid        NOT NULL,
    source       text        NOT NULL,
    aggregate_id text        NOT NULL,
    sequence     bigint      NOT NULL,
    after        jsonb       NOT NULL,
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    "offset"     bigint      NOT NULL,
    key          bytea,
    value        bytea,
    headers      bytea       NOT NULL,
    parked_at    timestamptz NOT NULL,
    PRIMARY KEY (id, source)
);
CREATE INDEX inbox_parked_aggregate ON inbox_parked (aggregate_id, source, sequence);
CREATE INDEX inbox_parked_since ON inbox_parked (parked_at);
COMMENT ON TABLE inbox_parked IS 'Events that came before one they follow.';

CREATE TABLE inbox_joined (
    topic        text    NOT NULL,
    partition    integer NOT NULL,
    partitions   integer NOT NULL,
    first_offset bigint  NOT NULL,
    time         timestamptz,
    caught_up_at timestamptz,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE inbox_joined IS 'Where the consumer group began to read: what came before comes no more.';
COMMENT ON COLUMN inbox_joined.time IS 'Of the first event that was left there.';
"""


class _Migrates(Protocol):
    """What is used of alembic's `op`, which is a module."""

    def execute(self, sqltext: str) -> Any: ...


def create(op: _Migrates) -> None:
    """Make the kit's tables, in their first version."""
    op.execute(_OUTBOX)
    op.execute(_INBOX)
    idempotency.create_table(op)
