"""What came with the platform belongs to it, and operators, to whom every course is their own, list them by age.

It was under a subject that no issuer signs for any more, so that nobody could manage it. Old pods serve it as before:
an owner is a text to them.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

_OWNER = "UPDATE course SET owner = 'the platform' WHERE owner = 'local-creator'"
_BY_AGE = """
CREATE INDEX course_age ON course (created_at DESC, id DESC);
"""


def upgrade() -> None:
    """Rename one owner, and add an index."""
    op.execute(_OWNER)
    op.execute(_BY_AGE)
