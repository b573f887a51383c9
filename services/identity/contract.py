"""What others may know of identity: its events. Ids are UUIDv7, times are UTC."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from suuupra.events import Event


class UserCreated(Event):
    """A person has an account whose e-mail address is verified. Aggregate: the user."""

    type: ClassVar[str] = "user.created"

    user_id: UUID
    email: str
    name: str
    locale: str
    roles: list[str]
    created_at: datetime


EVENTS: tuple[type[Event], ...] = (UserCreated,)
