"""A table of effects without constraints: nothing in it stops an effect from happening twice."""

from alembic import op

from suuupra import idempotency

revision = "0001"
down_revision = None


def upgrade() -> None:
    idempotency.create_table(op)
    op.execute("CREATE TABLE entry (title text NOT NULL)")
