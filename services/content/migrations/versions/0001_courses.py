"""Courses as their creators write them, what is published of them, and how far learners are."""

from alembic import op

from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None

_DRAFTS = """
CREATE TABLE course (
    id             uuid        PRIMARY KEY,
    owner          text        NOT NULL,
    slug           text        NOT NULL UNIQUE,
    title          text        NOT NULL,
    summary        text        NOT NULL,
    description    text        NOT NULL,
    language       text        NOT NULL,
    outcomes       jsonb       NOT NULL,
    licence        text,
    source         text,
    source_key     text,
    version        integer     NOT NULL,
    last_revision  integer     NOT NULL,
    shown_revision integer,
    listed_at      timestamptz,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (owner, source_key)
);
CREATE INDEX course_owner ON course (owner, created_at DESC, id DESC);
COMMENT ON COLUMN course.source_key IS 'What an import recognises its course by.';
COMMENT ON COLUMN course.version IS 'Counts edits of the course and of its structure: the ETag of the draft.';
COMMENT ON COLUMN course.shown_revision IS 'What learners read; null when unpublished.';
COMMENT ON COLUMN course.listed_at IS 'When it was first published: its place in the catalogue.';

CREATE TABLE module (
    id         uuid    PRIMARY KEY,
    course_id  uuid    NOT NULL REFERENCES course ON DELETE CASCADE,
    position   integer NOT NULL,
    title      text    NOT NULL,
    source_key text,
    version    integer NOT NULL,
    UNIQUE (course_id, position) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (course_id, source_key)
);

CREATE TABLE media (
    id           uuid        PRIMARY KEY,
    course_id    uuid        NOT NULL REFERENCES course ON DELETE CASCADE,
    name         text        NOT NULL,
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    width        integer,
    height       integer,
    sha256       text        NOT NULL,
    object_key   text        NOT NULL,
    public       boolean     NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (course_id, sha256)
);
CREATE INDEX media_course ON media (course_id, created_at DESC, id DESC);
COMMENT ON COLUMN media.public IS 'The shown revision refers to it; otherwise only its owner may read it.';

CREATE TABLE lesson (
    id         uuid    PRIMARY KEY,
    course_id  uuid    NOT NULL REFERENCES course ON DELETE CASCADE,
    module_id  uuid    NOT NULL REFERENCES module ON DELETE CASCADE,
    position   integer NOT NULL,
    slug       text    NOT NULL,
    title      text    NOT NULL,
    kind       text    NOT NULL CHECK (kind IN ('article', 'video', 'file')),
    html_hash  text    NOT NULL,
    media_id   uuid    REFERENCES media,
    seconds    integer NOT NULL,
    minutes    integer NOT NULL,
    source_key text,
    version    integer NOT NULL,
    CHECK ((kind = 'article') = (media_id IS NULL)),
    UNIQUE (module_id, position) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (course_id, slug) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (course_id, source_key)
);
CREATE INDEX lesson_media ON lesson (media_id) WHERE media_id IS NOT NULL;

CREATE TABLE lesson_html (
    course_id uuid NOT NULL REFERENCES course ON DELETE CASCADE,
    hash      text NOT NULL,
    html      text COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (course_id, hash)
);
COMMENT ON TABLE lesson_html IS 'Sanitised texts by their SHA-256; drafts and revisions refer to them.';

CREATE TABLE revision (
    course_id    uuid        NOT NULL REFERENCES course ON DELETE CASCADE,
    number       integer     NOT NULL,
    fingerprint  text        NOT NULL,
    contents     jsonb       NOT NULL,
    hashes       text[]      NOT NULL,
    lesson_count integer     NOT NULL,
    published_by text        NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (course_id, number)
);
COMMENT ON TABLE revision IS 'Every revision ever published; rows never change.';
"""

_PUBLISHED = """
CREATE TABLE shown_course (
    course_id     uuid        PRIMARY KEY REFERENCES course ON DELETE CASCADE,
    slug          text        NOT NULL UNIQUE,
    title         text        NOT NULL,
    listed_at     timestamptz NOT NULL,
    revision      integer     NOT NULL,
    summary       text        NOT NULL,
    details       text        NOT NULL,
    details_etag  text        NOT NULL,
    contents      text        COMPRESSION lz4 NOT NULL,
    contents_etag text        NOT NULL,
    words         tsvector    GENERATED ALWAYS AS (to_tsvector('simple', title)) STORED
);
CREATE INDEX shown_course_newest ON shown_course (listed_at DESC, course_id DESC);
CREATE INDEX shown_course_words ON shown_course USING gin (words);
COMMENT ON TABLE shown_course IS 'What learners read: JSON made when the course was published.';

CREATE TABLE shown_lesson (
    lesson_id uuid PRIMARY KEY,
    course_id uuid NOT NULL REFERENCES shown_course ON DELETE CASCADE,
    slug      text NOT NULL,
    etag      text NOT NULL,
    page      text COMPRESSION lz4 NOT NULL,
    UNIQUE (course_id, slug)
);
"""

_LEARNERS = """
CREATE TABLE lesson_progress (
    learner_kind text        NOT NULL,
    learner_id   text        NOT NULL,
    lesson_id    uuid        NOT NULL,
    course_id    uuid        NOT NULL,
    position     integer     NOT NULL,
    started_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    completed_at timestamptz,
    PRIMARY KEY (learner_kind, learner_id, lesson_id)
);
COMMENT ON TABLE lesson_progress IS 'No foreign keys: what a learner did outlives the lesson.';

CREATE TABLE completion_count (
    lesson_id   uuid     NOT NULL,
    shard       smallint NOT NULL,
    course_id   uuid     NOT NULL,
    completions bigint   NOT NULL,
    PRIMARY KEY (lesson_id, shard)
) WITH (fillfactor = 70);
CREATE INDEX completion_count_course ON completion_count (course_id);
COMMENT ON COLUMN completion_count.shard IS 'Spreads the writes of a popular lesson over rows; readers add them up.';
"""


def upgrade() -> None:
    """Make every table."""
    kit_tables.create(op)
    for statements in (_DRAFTS, _PUBLISHED, _LEARNERS):
        op.execute(statements)
