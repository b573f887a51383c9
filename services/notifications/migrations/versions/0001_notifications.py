"""People and what they want to hear, what they were told, and the mail on its way to them."""

from alembic import op

from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None

_PEOPLE = """
CREATE TABLE person (
    user_id       uuid PRIMARY KEY,
    email         text,
    name          text,
    locale        text,
    chosen_locale text,
    version       integer NOT NULL
);
COMMENT ON TABLE person IS 'Learned from user.created, or made by a choice that came first.';
COMMENT ON COLUMN person.version IS 'Counts changes of the preferences: their ETag.';

CREATE TABLE preference (
    user_id  uuid    NOT NULL REFERENCES person ON DELETE CASCADE,
    category text    NOT NULL,
    channel  text    NOT NULL,
    wanted   boolean NOT NULL,
    PRIMARY KEY (user_id, category, channel)
);

CREATE TABLE course (
    course_id uuid PRIMARY KEY,
    title     text    NOT NULL,
    slug      text    NOT NULL,
    revision  integer NOT NULL
);
COMMENT ON TABLE course IS 'Titles, from course.published: events about a right to a course only know its id.';
"""

_INBOX = """
CREATE TABLE notification (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    kind       text        NOT NULL,
    data       jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    read_at    timestamptz
);
CREATE INDEX notification_newest ON notification (user_id, created_at DESC, id DESC);
CREATE INDEX notification_unread ON notification (user_id) WHERE read_at IS NULL;
COMMENT ON COLUMN notification.id IS 'Made from what happened, so that the same is told once.';
"""

_MAIL = """
CREATE TABLE mail (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    kind       text        NOT NULL,
    data       jsonb       NOT NULL,
    state      text        NOT NULL
        CHECK (state IN ('waiting', 'due', 'sending', 'sent', 'refused', 'unwanted', 'expired')),
    next_at    timestamptz NOT NULL,
    attempts   integer     NOT NULL,
    uncertain  integer     NOT NULL,
    refusal    text,
    created_at timestamptz NOT NULL,
    sent_at    timestamptz
);
CREATE INDEX mail_next ON mail (next_at) WHERE state IN ('waiting', 'due', 'sending');
CREATE INDEX mail_waiting ON mail (user_id) WHERE state = 'waiting';
COMMENT ON COLUMN mail.id IS 'Made from what happened, so that the same is mailed once; also names the message.';
COMMENT ON COLUMN mail.next_at IS 'When it is due; while it is being sent, when the claim of its sender ends; while it waits for an address, when that is given up.';
COMMENT ON COLUMN mail.uncertain IS 'How often a sender ended without knowing whether the server took it.';
"""


def upgrade() -> None:
    """Make every table."""
    kit_tables.create(op)
    for statements in (_PEOPLE, _INBOX, _MAIL):
        op.execute(statements)
