"""The kit's tables, and one for effects to be counted in."""

from alembic import op

from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    kit_tables.create(op)
    op.execute("""
        CREATE TABLE effect (
            position     bigint  GENERATED ALWAYS AS IDENTITY,
            id           uuid    NOT NULL,
            aggregate_id text    NOT NULL,
            number       integer NOT NULL
        )
    """)
