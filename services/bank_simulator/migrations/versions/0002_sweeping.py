"""Messages are deleted when they are old, by the schedule."""

from alembic import op

from suuupra import sweeping

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Ask for the first sweep."""
    op.execute(sweeping.BEGIN)
