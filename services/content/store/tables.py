"""The tables, as migrations made them. Nothing outside store/ and usecases/ sees these classes."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Column, Computed, DateTime, SmallInteger, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlmodel import Field, SQLModel

_INSTANT: Any = DateTime(timezone=True)


class CourseRow(SQLModel, table=True):
    """A course: its draft's own fields, and what of it is shown."""

    __tablename__: ClassVar[Any] = "course"

    id: UUID = Field(primary_key=True)
    owner: str = Field(sa_type=Text)
    slug: str = Field(sa_type=Text, unique=True)
    title: str = Field(sa_type=Text)
    summary: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    outcomes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    licence: str | None = Field(default=None, sa_type=Text)
    source: str | None = Field(default=None, sa_type=Text)
    source_key: str | None = Field(default=None, sa_type=Text)
    version: int = 1
    last_revision: int = 0
    shown_revision: int | None = None
    access: str = Field(default="open", sa_type=Text)
    preview_lessons: int = 0
    listed_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class ModuleRow(SQLModel, table=True):
    """A module of a draft; positions count from 0 without gaps."""

    __tablename__: ClassVar[Any] = "module"

    id: UUID = Field(primary_key=True)
    course_id: UUID = Field(foreign_key="course.id")
    position: int
    title: str = Field(sa_type=Text)
    source_key: str | None = Field(default=None, sa_type=Text)
    version: int = 1


class MediaRow(SQLModel, table=True):
    """A file in the object store."""

    __tablename__: ClassVar[Any] = "media"

    id: UUID = Field(primary_key=True)
    course_id: UUID = Field(foreign_key="course.id")
    name: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    width: int | None = None
    height: int | None = None
    sha256: str = Field(sa_type=Text)
    object_key: str = Field(sa_type=Text)
    public: bool = False
    entitled: bool = False
    created_at: datetime = Field(sa_type=_INSTANT)


class LessonRow(SQLModel, table=True):
    """A lesson of a draft; positions count from 0 within the module without gaps."""

    __tablename__: ClassVar[Any] = "lesson"

    id: UUID = Field(primary_key=True)
    course_id: UUID = Field(foreign_key="course.id")
    module_id: UUID = Field(foreign_key="module.id")
    position: int
    slug: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    html_hash: str = Field(sa_type=Text)
    media_id: UUID | None = Field(default=None, foreign_key="media.id")
    seconds: int = 0
    minutes: int = 1
    source_key: str | None = Field(default=None, sa_type=Text)
    version: int = 1


class HtmlRow(SQLModel, table=True):
    """A sanitised text under its SHA-256."""

    __tablename__: ClassVar[Any] = "lesson_html"

    course_id: UUID = Field(primary_key=True, foreign_key="course.id")
    hash: str = Field(primary_key=True, sa_type=Text)
    html: str = Field(sa_type=Text)


class RevisionRow(SQLModel, table=True):
    """A published revision; never changed."""

    __tablename__: ClassVar[Any] = "revision"

    course_id: UUID = Field(primary_key=True, foreign_key="course.id")
    number: int = Field(primary_key=True)
    fingerprint: str = Field(sa_type=Text)
    contents: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    hashes: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    lesson_count: int
    published_by: str = Field(sa_type=Text)
    published_at: datetime = Field(sa_type=_INSTANT)


class ShownCourseRow(SQLModel, table=True):
    """What learners read of a course: JSON made when it was published."""

    __tablename__: ClassVar[Any] = "shown_course"

    course_id: UUID = Field(primary_key=True, foreign_key="course.id")
    slug: str = Field(sa_type=Text, unique=True)
    title: str = Field(sa_type=Text)
    listed_at: datetime = Field(sa_type=_INSTANT)
    revision: int
    summary: str = Field(sa_type=Text)
    details: str = Field(sa_type=Text)
    details_etag: str = Field(sa_type=Text)
    contents: str = Field(sa_type=Text)
    contents_etag: str = Field(sa_type=Text)
    access: str = Field(default="open", sa_type=Text)
    words: str | None = Field(
        default=None,
        sa_column=Column(TSVECTOR, Computed("to_tsvector('simple', title)", persisted=True)),
    )


class ShownLessonRow(SQLModel, table=True):
    """What learners read of a lesson."""

    __tablename__: ClassVar[Any] = "shown_lesson"

    lesson_id: UUID = Field(primary_key=True)
    course_id: UUID = Field(foreign_key="shown_course.course_id")
    slug: str = Field(sa_type=Text)
    etag: str = Field(sa_type=Text)
    page: str = Field(sa_type=Text)
    locked: bool = False


class EntitlementRow(SQLModel, table=True):
    """What commerce last said of a user's right to a course: content's own projection of its two events."""

    __tablename__: ClassVar[Any] = "entitlement"

    user_id: UUID = Field(primary_key=True)
    course_id: UUID = Field(primary_key=True)
    granted: bool
    sequence: int = Field(sa_type=BigInteger)
    changed_at: datetime = Field(sa_type=_INSTANT)
    unlocked_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    locked_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class MediaSealRow(SQLModel, table=True):
    """The key of the seals on addresses of locked files; one row."""

    __tablename__: ClassVar[Any] = "media_seal"

    id: int = Field(primary_key=True, sa_type=SmallInteger)
    key: bytes


class ProgressRow(SQLModel, table=True):
    """How far one learner is in one lesson."""

    __tablename__: ClassVar[Any] = "lesson_progress"

    learner_kind: str = Field(primary_key=True, sa_type=Text)
    learner_id: str = Field(primary_key=True, sa_type=Text)
    lesson_id: UUID = Field(primary_key=True)
    course_id: UUID
    position: int
    started_at: datetime = Field(sa_type=_INSTANT)
    changed_at: datetime = Field(sa_type=_INSTANT)
    completed_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class CompletionCountRow(SQLModel, table=True):
    """A part of a lesson's completions; the parts are added up by readers."""

    __tablename__: ClassVar[Any] = "completion_count"

    lesson_id: UUID = Field(primary_key=True)
    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    course_id: UUID
    completions: int = Field(sa_type=BigInteger)
