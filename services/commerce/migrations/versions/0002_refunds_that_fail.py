"""Refunds that fail and are asked for anew, and payments in another currency than their order's."""

from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS = """
ALTER TABLE order_payment ADD COLUMN currency text;
COMMENT ON COLUMN order_payment.currency IS 'Of what was paid; null where it is the order''s.';

ALTER TABLE refund
    ADD COLUMN currency text,
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN code text,
    ADD COLUMN detail text,
    -- Old pods leave failed_at empty, so that the check takes all that they write.
    -- squawk-ignore ban-new-write-restriction
    ADD CHECK (failed_at IS NULL OR refunded_at IS NULL);
COMMENT ON COLUMN refund.currency IS 'Of the amount; null where it is the order''s.';
COMMENT ON COLUMN refund.failed_at IS 'When payments said that it cannot be made; code and detail say why.';
"""
_ONCE = """
-- The new index takes all that the old one does, and no query names either.
-- squawk-ignore ban-new-write-restriction
CREATE UNIQUE INDEX refund_once ON refund (payment_id) WHERE reason <> 'requested' AND failed_at IS NULL;
-- squawk-ignore ban-drop-index
DROP INDEX refund_by_itself;
COMMENT ON INDEX refund_once IS 'A payment that an order could not take goes back once, unless that failed.';
"""


def upgrade() -> None:
    """Add columns that may be null, and let what failed be asked for anew."""
    op.execute(_COLUMNS)
    op.execute(_ONCE)
