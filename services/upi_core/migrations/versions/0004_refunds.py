"""The refunds of a payment are found by it: for the payer's phone and for support."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add an index."""
    op.execute("CREATE INDEX txn_refunds ON txn (org_txn_id) WHERE org_txn_id IS NOT NULL")
