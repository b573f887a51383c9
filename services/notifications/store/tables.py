"""The tables, as migrations made them. Nothing outside store/ and usecases/ sees these classes."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Column, DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

_INSTANT: Any = DateTime(timezone=True)
METADATA = MetaData()


class _Table(SQLModel):
    metadata = METADATA


class PersonRow(_Table, table=True):
    """Who is written to, and in which language."""

    __tablename__: ClassVar[Any] = "person"

    user_id: UUID = Field(primary_key=True)
    email: str | None = Field(default=None, sa_type=Text)
    name: str | None = Field(default=None, sa_type=Text)
    locale: str | None = Field(default=None, sa_type=Text)
    chosen_locale: str | None = Field(default=None, sa_type=Text)
    version: int = 1


class PreferenceRow(_Table, table=True):
    """A choice that somebody made."""

    __tablename__: ClassVar[Any] = "preference"

    user_id: UUID = Field(primary_key=True, foreign_key="person.user_id")
    category: str = Field(primary_key=True, sa_type=Text)
    channel: str = Field(primary_key=True, sa_type=Text)
    wanted: bool


class CourseRow(_Table, table=True):
    """What a course is called."""

    __tablename__: ClassVar[Any] = "course"

    course_id: UUID = Field(primary_key=True)
    title: str = Field(sa_type=Text)
    slug: str = Field(sa_type=Text)
    revision: int


class NotificationRow(_Table, table=True):
    """A line of an inbox."""

    __tablename__: ClassVar[Any] = "notification"

    id: UUID = Field(primary_key=True)
    user_id: UUID
    kind: str = Field(sa_type=Text)
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_type=_INSTANT)
    read_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class MailRow(_Table, table=True):
    """A mail, on its way or at its end; see domain/delivery.py."""

    __tablename__: ClassVar[Any] = "mail"

    id: UUID = Field(primary_key=True)
    user_id: UUID
    kind: str = Field(sa_type=Text)
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(sa_type=Text)
    next_at: datetime = Field(sa_type=_INSTANT)
    attempts: int = 0
    uncertain: int = 0
    refusal: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    sent_at: datetime | None = Field(default=None, sa_type=_INSTANT)
