"""When the payer of a collect request approved it: from then on its limits count."""

from alembic import op

revision = "0005"
down_revision = "0004"

_TRANSACTIONS = """
ALTER TABLE txn ADD COLUMN authorised_at timestamptz;
COMMENT ON COLUMN txn.authorised_at IS 'When the payer approved a collect request; null for what began with its ReqPay.';
"""


def upgrade() -> None:
    """Add a column."""
    op.execute(_TRANSACTIONS)
