"""Courses that take an entitlement: who has one, and which lessons and files are locked.

Old pods write none of the new columns, whose defaults are what there was before: everything open. They serve what a
new pod locks until they are gone, at most for the seconds of a rollout; a file that is locked they refuse to all but
its owner.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_ACCESS = """
ALTER TABLE course ADD COLUMN access text NOT NULL DEFAULT 'open';
ALTER TABLE course ADD COLUMN preview_lessons integer NOT NULL DEFAULT 0;
ALTER TABLE shown_course ADD COLUMN access text NOT NULL DEFAULT 'open';
ALTER TABLE shown_lesson ADD COLUMN locked boolean NOT NULL DEFAULT false;
ALTER TABLE media ADD COLUMN entitled boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN course.access IS 'open: everybody reads it; entitled: after its preview, who has an entitlement.';
COMMENT ON COLUMN course.preview_lessons IS 'How many lessons of an entitled course everybody reads.';
COMMENT ON COLUMN media.entitled IS 'Only locked lessons of the shown revision refer to it.';
"""

_ENTITLEMENTS = """
CREATE TABLE entitlement (
    user_id    uuid        NOT NULL,
    course_id  uuid        NOT NULL,
    granted    boolean     NOT NULL,
    sequence   bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_id)
);
COMMENT ON TABLE entitlement IS 'A projection of entitlement.granted and entitlement.revoked of commerce.';
COMMENT ON COLUMN entitlement.sequence IS 'Of the event: an earlier one that comes late changes nothing.';

CREATE TABLE media_seal (
    id  smallint PRIMARY KEY CHECK (id = 1),
    key bytea    NOT NULL
);
COMMENT ON TABLE media_seal IS 'The key of the seals on addresses of locked files: 244 random bits, never shown.';
INSERT INTO media_seal (id, key)
VALUES (1, sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
"""


def upgrade() -> None:
    """Add columns with defaults, and two tables."""
    op.execute(_ACCESS)
    op.execute(_ENTITLEMENTS)
