"""What others may know of identity: its events, its API, and where a client finds its secret. Ids are UUIDv7, times UTC."""

from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from suuupra import fields
from suuupra.events import Event

CLIENT_ID: Final = "client_id"
CLIENT_SECRET: Final = "client_secret"  # noqa: S105 - the name of a field
"""The two fields of a client's secret in the secret store."""
REASON: Final = "reason"
SESSION_ENDED: Final = "session_ended"
"""A parameter of an authorization request, and its one value: they were signed in at the client, and are no more. Where
somebody signs in, identity says so in words of its own; any other value says nothing."""


def secret_path(client_id: str, resource: str = "identity") -> str:
    """Where the secret store keeps a confidential client's secret: `identity/clients/web`."""
    return f"{resource}/clients/{client_id}"


Name = Annotated[fields.Line, Field(min_length=1, max_length=100, examples=["Asha Rao"])]
"""What somebody is called."""
Locale = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?$", max_length=11)
]
"""BCP 47, as far as people need it: language, script, region."""


# Events


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


# API


class OrganisationView(BaseModel):
    """An organisation that somebody belongs to."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    slug: str
    name: str
    role: str = Field(description="What they are there: member or manager.")


class UserView(BaseModel):
    """A person with an account."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    email: str
    name: str
    locale: str
    roles: list[str]
    organisations: list[OrganisationView]
    created_at: datetime


class UserPatch(BaseModel):
    """What somebody changes of themselves; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name | None = None
    locale: Locale | None = None
