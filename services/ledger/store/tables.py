"""The tables, as migrations made them. Nothing outside store/ sees these classes."""

from datetime import date, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, LargeBinary, MetaData, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

METADATA: Final = MetaData()
_INSTANT: Any = DateTime(timezone=True)


class _Table(SQLModel):
    metadata = METADATA


class HeadRow(_Table, table=True):
    """The end of the chain: one row."""

    __tablename__: ClassVar[Any] = "head"

    id: int = Field(primary_key=True, sa_type=SmallInteger)
    sequence: int = Field(sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)
    frontier: bytes = Field(sa_type=LargeBinary)
    posted_at: datetime = Field(sa_type=_INSTANT)


class JournalRow(_Table, table=True):
    """A journal; never changed."""

    __tablename__: ClassVar[Any] = "journal"

    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    id: UUID
    kind: str = Field(sa_type=Text)
    effective_at: datetime = Field(sa_type=_INSTANT)
    posted_at: datetime = Field(sa_type=_INSTANT)
    description: str = Field(sa_type=Text)
    reference: str | None = Field(sa_type=Text)
    related: UUID | None
    details: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    leaf: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)


class EntryRow(_Table, table=True):
    """A leg of a journal; never changed."""

    __tablename__: ClassVar[Any] = "entry"

    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    leg: int = Field(primary_key=True, sa_type=SmallInteger)
    transfer: int = Field(sa_type=SmallInteger)
    pending: bool = Field(sa_type=Boolean)
    account: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    side: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    effective_at: datetime = Field(sa_type=_INSTANT)
    seal: int = Field(sa_type=BigInteger)


class NodeRow(_Table, table=True):
    """An inner node of the Merkle tree; never changed."""

    __tablename__: ClassVar[Any] = "tree_node"

    level: int = Field(primary_key=True, sa_type=SmallInteger)
    index: int = Field(primary_key=True, sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)


class CheckpointRow(_Table, table=True):
    """A signed head; never changed."""

    __tablename__: ClassVar[Any] = "checkpoint"

    size: int = Field(primary_key=True, sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)
    root: bytes = Field(sa_type=LargeBinary)
    at: datetime = Field(sa_type=_INSTANT)
    key_id: str = Field(sa_type=Text)
    signed: str = Field(sa_type=Text)


class AccountRow(_Table, table=True):
    """An account with its balance: a fold of the journals."""

    __tablename__: ClassVar[Any] = "account"

    code: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    side: str = Field(sa_type=Text)
    minimum: int | None = Field(sa_type=BigInteger)
    maximum: int | None = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    version: int
    debits: int = Field(sa_type=BigInteger)
    credits: int = Field(sa_type=BigInteger)
    pending_debits: int = Field(sa_type=BigInteger)
    pending_credits: int = Field(sa_type=BigInteger)


class DayRow(_Table, table=True):
    """What an account was debited and credited on one day of effective time."""

    __tablename__: ClassVar[Any] = "balance_day"

    account: str = Field(primary_key=True, sa_type=Text)
    day: date = Field(primary_key=True, sa_type=Date)
    debits: int = Field(sa_type=BigInteger)
    credits: int = Field(sa_type=BigInteger)


class HoldRow(_Table, table=True):
    """What became of a hold."""

    __tablename__: ClassVar[Any] = "hold"

    journal_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger, unique=True)
    expires_at: datetime = Field(sa_type=_INSTANT)
    state: str = Field(sa_type=Text)
    resolved_by: int | None = Field(sa_type=BigInteger)
