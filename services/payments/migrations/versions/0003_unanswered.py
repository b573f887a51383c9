"""When a transaction of a rail was answered for, with what a message was refused, and that a rail is gone for now."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TRANSACTIONS = """
ALTER TABLE rail_transaction ADD ended_at timestamptz;
COMMENT ON COLUMN rail_transaction.ended_at IS 'When the rail said how it ended; null while money may still move.';

UPDATE rail_transaction t SET ended_at = e.at FROM payment_event e
WHERE e.payment_id = t.payment_id AND (
    (e.type IN ('attempt_succeeded', 'attempt_failed', 'attempt_closed') AND e.data->>'attempt' = t.attempt::text)
    OR (e.type IN ('refund_succeeded', 'refund_failed') AND e.data->>'refund_id' = t.refund_id::text));

UPDATE rail_transaction t SET ended_at = next.begun_at FROM rail_transaction next
WHERE next.refund_id = t.refund_id AND next.begun_at > t.begun_at AND t.ended_at IS NULL;

UPDATE rail_transaction t SET ended_at = p.updated_at FROM payment p, payment_event e
WHERE p.id = t.payment_id AND e.payment_id = p.id AND e.sequence = p.version AND e.type = 'refund_try_failed'
    AND e.data->>'refund_id' = t.refund_id::text AND t.ended_at IS NULL;

CREATE INDEX rail_transaction_open ON rail_transaction (payment_id, begun_at) WHERE ended_at IS NULL;
"""

_RECEIVED = """
ALTER TABLE rail_received ADD refusal text;
COMMENT ON COLUMN rail_received.refusal IS 'The code with which it was refused, and is when it comes again.';
UPDATE rail_received SET refusal = substring(what FROM 'refused: ([A-Z0-9]+)');
"""

_RAILS = """
ALTER TABLE rail ADD removed_at timestamptz;
COMMENT ON COLUMN rail.removed_at IS 'It is offered no more; what is still to be said over it waits until it is back.';
"""


def upgrade() -> None:
    """Add the columns, and tell from history what they would have held."""
    for statements in (_TRANSACTIONS, _RECEIVED, _RAILS):
        op.execute(statements)
