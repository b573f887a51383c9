"""Messages, requests and past days' limits are deleted when they are old, by the schedule."""

from alembic import op

from suuupra import sweeping

revision = "0002"
down_revision = "0001"

_INDEXES = """
CREATE INDEX payment_request_old ON payment_request (created_at) WHERE state <> 'pending';
CREATE INDEX spending_old ON spending (day);
"""


def upgrade() -> None:
    """Make what finds them by age, and ask for the first sweep."""
    op.execute(_INDEXES)
    op.execute(sweeping.BEGIN)
