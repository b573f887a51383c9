"""When content heard of a right: what support is shown beside the time at which commerce gave it."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TIMES = """
ALTER TABLE entitlement ADD COLUMN unlocked_at timestamptz;
ALTER TABLE entitlement ADD COLUMN locked_at timestamptz;
COMMENT ON COLUMN entitlement.unlocked_at IS 'When we last heard that it was granted; changed_at is when that was decided.';
COMMENT ON COLUMN entitlement.locked_at IS 'When we last heard that it was revoked.';
"""


def upgrade() -> None:
    """Add two columns that older pods leave empty."""
    op.execute(_TIMES)
