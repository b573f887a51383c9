"""Messages of rails and of webhooks are deleted when they are old."""

from alembic import op

from suuupra import sweeping

revision = "0002"
down_revision = "0001"

_INDEXES = """
CREATE INDEX rail_message_old ON rail_message (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX rail_received_old ON rail_received (received_at);
CREATE INDEX webhook_delivery_old ON webhook_delivery (created_at) WHERE state <> 'waiting';
CREATE INDEX webhook_message_old ON webhook_message (created_at);
"""


def upgrade() -> None:
    """Make what finds them by age, and ask for the first sweep."""
    op.execute(_INDEXES)
    op.execute(sweeping.BEGIN)
