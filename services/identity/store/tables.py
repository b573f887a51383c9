"""The tables, as migrations made them. Nothing outside store/ sees these classes."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

_INSTANT: Any = DateTime(timezone=True)
_BYTES: Any = LargeBinary()


def _texts() -> Any:
    return Field(sa_column=Column(ARRAY(Text), nullable=False))


class Table(SQLModel):
    """A table of identity: in a collection of its own, so that other services may call theirs the same."""

    metadata: ClassVar[MetaData] = MetaData()


class AccountRow(Table, table=True):
    """A person whose address is verified."""

    __tablename__: ClassVar[Any] = "account"

    id: UUID = Field(primary_key=True)
    email: str = Field(sa_type=Text)
    email_key: str = Field(sa_type=Text, unique=True)
    name: str = Field(sa_type=Text)
    locale: str = Field(sa_type=Text)
    roles: list[str] = _texts()
    password_hash: str = Field(sa_type=Text)
    version: int = 1
    created_at: datetime = Field(sa_type=_INSTANT)
    changed_at: datetime = Field(sa_type=_INSTANT)
    disabled_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class OrganisationRow(Table, table=True):
    """An organisation that people belong to."""

    __tablename__: ClassVar[Any] = "organisation"

    id: UUID = Field(primary_key=True)
    slug: str = Field(sa_type=Text, unique=True)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)


class MembershipRow(Table, table=True):
    """Somebody's place in an organisation."""

    __tablename__: ClassVar[Any] = "membership"

    account_id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(primary_key=True)
    role: str = Field(sa_type=Text)
    joined_at: datetime = Field(sa_type=_INSTANT)


class SignupRow(Table, table=True):
    """Somebody who has not confirmed the address yet."""

    __tablename__: ClassVar[Any] = "signup"

    id: UUID = Field(primary_key=True)
    email: str = Field(sa_type=Text)
    email_key: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    locale: str = Field(sa_type=Text)
    password_hash: str = Field(sa_type=Text)
    browser_hash: bytes = Field(sa_type=_BYTES)
    return_to: str | None = Field(default=None, sa_type=Text)
    tries: int = 0
    created_at: datetime = Field(sa_type=_INSTANT)
    expires_at: datetime = Field(sa_type=_INSTANT)


class LetterRow(Table, table=True):
    """A letter to be sent, or sent."""

    __tablename__: ClassVar[Any] = "letter"

    id: UUID = Field(primary_key=True)
    kind: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    email_key: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    locale: str = Field(sa_type=Text)
    signup_id: UUID | None = None
    account_id: UUID | None = None
    created_at: datetime = Field(sa_type=_INSTANT)
    sent_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class LinkRow(Table, table=True):
    """The token of a letter, by its hash."""

    __tablename__: ClassVar[Any] = "link"

    hash: bytes = Field(primary_key=True, sa_type=_BYTES)
    letter_id: UUID
    expires_at: datetime = Field(sa_type=_INSTANT)


class SessionRow(Table, table=True):
    """Somebody signed in in one browser."""

    __tablename__: ClassVar[Any] = "sso_session"

    id: UUID = Field(primary_key=True)
    hash: bytes = Field(sa_type=_BYTES, unique=True)
    account_id: UUID
    auth_time: datetime = Field(sa_type=_INSTANT)
    amr: list[str] = _texts()
    fresh_for: bytes | None = Field(default=None, sa_type=_BYTES)
    created_at: datetime = Field(sa_type=_INSTANT)
    expires_at: datetime = Field(sa_type=_INSTANT)
    ended_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class ClientRow(Table, table=True):
    """An application that asks for tokens."""

    __tablename__: ClassVar[Any] = "client"

    id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    secret_hash: bytes | None = Field(default=None, sa_type=_BYTES)
    grant_types: list[str] = _texts()
    redirect_uris: list[str] = _texts()
    post_logout_redirect_uris: list[str] = _texts()
    scopes: list[str] = _texts()
    introspects: bool = False
    created_at: datetime = Field(sa_type=_INSTANT)


class GrantRow(Table, table=True):
    """What a user granted to a client."""

    __tablename__: ClassVar[Any] = "token_grant"

    id: UUID = Field(primary_key=True)
    client_id: str = Field(sa_type=Text)
    account_id: UUID
    session_id: UUID
    scope: str = Field(sa_type=Text)
    auth_time: datetime = Field(sa_type=_INSTANT)
    amr: list[str] = _texts()
    created_at: datetime = Field(sa_type=_INSTANT)
    expires_at: datetime = Field(sa_type=_INSTANT)
    revoked_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    revoked_because: str | None = Field(default=None, sa_type=Text)


class CodeRow(Table, table=True):
    """An authorization code, by its hash."""

    __tablename__: ClassVar[Any] = "authorization_code"

    hash: bytes = Field(primary_key=True, sa_type=_BYTES)
    grant_id: UUID
    redirect_uri: str = Field(sa_type=Text)
    nonce: str | None = Field(default=None, sa_type=Text)
    code_challenge: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=_INSTANT)
    used_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class RefreshRow(Table, table=True):
    """A refresh token, by its hash."""

    __tablename__: ClassVar[Any] = "refresh_token"

    hash: bytes = Field(primary_key=True, sa_type=_BYTES)
    grant_id: UUID
    expires_at: datetime = Field(sa_type=_INSTANT)
    used_at: datetime | None = Field(default=None, sa_type=_INSTANT)
