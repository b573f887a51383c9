"""Payments as their events, what is looked up of them, rails and their messages, webhooks."""

from alembic import op

from suuupra import schedule
from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None

_PAYMENTS = """
CREATE TABLE payment_event (
    payment_id uuid        NOT NULL,
    sequence   integer     NOT NULL,
    type       text        NOT NULL,
    data       json        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (payment_id, sequence)
);
COMMENT ON TABLE payment_event IS 'What happened to each payment: the only truth. Rows are added and never changed.';
COMMENT ON COLUMN payment_event.data IS 'Canonical JSON; json and not jsonb, so that it stays as it was written.';

CREATE TABLE payment (
    id         uuid        PRIMARY KEY,
    order_id   uuid        NOT NULL UNIQUE,
    user_id    uuid        NOT NULL,
    status     text        NOT NULL,
    amount     bigint      NOT NULL CHECK (amount > 0),
    currency   text        NOT NULL,
    version    integer     NOT NULL,
    state      json        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX payment_of_user ON payment (user_id, created_at DESC, id DESC);
COMMENT ON TABLE payment IS 'The fold of payment_event, kept for readers and as the lock of a payment; it can be made again.';

CREATE TABLE attempt (
    reference  text    PRIMARY KEY,
    payment_id uuid    NOT NULL REFERENCES payment,
    number     integer NOT NULL
);
COMMENT ON TABLE attempt IS 'Which payment a reference on a rail belongs to.';

CREATE TABLE refund (
    id         uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payment
);

CREATE TABLE rail_transaction (
    rail        text        NOT NULL,
    transaction text        NOT NULL,
    payment_id  uuid        NOT NULL REFERENCES payment,
    attempt     integer,
    refund_id   uuid        REFERENCES refund,
    begun_at    timestamptz NOT NULL,
    PRIMARY KEY (rail, transaction),
    CHECK ((attempt IS NULL) <> (refund_id IS NULL))
);
COMMENT ON TABLE rail_transaction IS 'What a transaction of a rail moves; its id belongs to that for ever.';
"""

# Whoever was given rights on new tables by default keeps the right to read and to add, and no other.
_APPEND_ONLY = """
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'payment_event'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON payment_event FROM %I', grantee);
    END LOOP;
END
$$
"""

_RAILS = """
CREATE TABLE rail (
    name          text        PRIMARY KEY,
    kind          text        NOT NULL,
    registration  jsonb       NOT NULL,
    keys          jsonb,
    registered_at timestamptz,
    trouble       text,
    updated_at    timestamptz NOT NULL
);
COMMENT ON COLUMN rail.keys IS 'The public keys that the rail signs with (JWKS).';

CREATE TABLE rail_message (
    id            uuid        PRIMARY KEY,
    rail          text        NOT NULL,
    api           text        NOT NULL,
    payment_id    uuid,
    method        text        NOT NULL,
    path          text        NOT NULL,
    body          text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('waiting', 'acknowledged', 'refused', 'useless')),
    attempts      integer     NOT NULL,
    next_at       timestamptz NOT NULL,
    useless_after timestamptz,
    trouble       text,
    created_at    timestamptz NOT NULL,
    settled_at    timestamptz
);
CREATE INDEX rail_message_waiting ON rail_message (next_at) WHERE state = 'waiting';
CREATE INDEX rail_message_of_payment ON rail_message (payment_id) WHERE payment_id IS NOT NULL;
COMMENT ON TABLE rail_message IS 'Messages to rails: sent when no transaction is open, until they are acknowledged.';
COMMENT ON COLUMN rail_message.next_at IS 'When it is sent next; while it is being sent, when another process may.';

CREATE TABLE rail_received (
    sender      text        NOT NULL,
    message_id  uuid        NOT NULL,
    fingerprint bytea       NOT NULL,
    api         text        NOT NULL,
    payment_id  uuid,
    what        text        NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (sender, message_id)
);
CREATE INDEX rail_received_of_payment ON rail_received (payment_id) WHERE payment_id IS NOT NULL;
COMMENT ON TABLE rail_received IS 'Messages from rails: each has its effect once, and its id stands for its content.';
"""

_WEBHOOKS = """
CREATE TABLE webhook_endpoint (
    id              uuid        PRIMARY KEY,
    url             text        NOT NULL UNIQUE,
    events          text[]      NOT NULL,
    description     text        NOT NULL,
    enabled         boolean     NOT NULL,
    disabled_reason text,
    secrets         jsonb       NOT NULL,
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    version         integer     NOT NULL
);
COMMENT ON COLUMN webhook_endpoint.secrets IS 'Encrypted (JWE), the newest first; those before it until they end.';

CREATE TABLE webhook_message (
    id         text        PRIMARY KEY,
    type       text        NOT NULL,
    payment_id uuid        NOT NULL,
    payload    text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX webhook_message_of_payment ON webhook_message (payment_id);

CREATE TABLE webhook_delivery (
    id          uuid        PRIMARY KEY,
    endpoint_id uuid        NOT NULL REFERENCES webhook_endpoint ON DELETE CASCADE,
    message_id  text        NOT NULL REFERENCES webhook_message,
    state       text        NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts    integer     NOT NULL,
    begun_at    timestamptz NOT NULL,
    next_at     timestamptz,
    created_at  timestamptz NOT NULL,
    UNIQUE (endpoint_id, message_id)
);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_newest ON webhook_delivery (endpoint_id, created_at DESC, id DESC);
CREATE INDEX webhook_delivery_of_message ON webhook_delivery (message_id);
COMMENT ON COLUMN webhook_delivery.begun_at IS 'From when on its tries are counted: its making, or its redelivery.';

CREATE TABLE webhook_try (
    delivery_id  uuid        NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    number       integer     NOT NULL,
    status       integer,
    error        text,
    milliseconds integer     NOT NULL,
    PRIMARY KEY (delivery_id, number, at)
);
"""


def upgrade() -> None:
    """Make every table."""
    kit_tables.create(op)
    schedule.create_table(op)
    for statements in (_PAYMENTS, _APPEND_ONLY, _RAILS, _WEBHOOKS):
        op.execute(statements)
