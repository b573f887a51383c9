"""How a user's rights to what is locked are told; part of the contract."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Right(_Model):
    """Whether the locked lessons of a course are open to a user, and when we last heard that they are or are not."""

    course_id: UUID
    unlocked: bool
    unlocked_at: datetime | None
    locked_at: datetime | None


class Rights(_Model):
    """Courses of which commerce has told anything of that user."""

    items: list[Right]
