"""What was told of one order is found by it: for support."""

from alembic import op

revision = "0002"
down_revision = "0001"

_BY_ORDER = """
CREATE INDEX notification_order ON notification ((data ->> 'order_id')) WHERE data ? 'order_id';
CREATE INDEX mail_order ON mail ((data ->> 'order_id')) WHERE data ? 'order_id';
"""


def upgrade() -> None:
    """Add two indexes."""
    op.execute(_BY_ORDER)
