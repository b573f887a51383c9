"""The tables, as migrations made them. Nothing outside store/ and usecases/ sees these classes."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, DateTime, LargeBinary, MetaData, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

METADATA = MetaData()
_INSTANT: Any = DateTime(timezone=True)


class _Table(SQLModel):
    metadata = METADATA


class PaymentRow(_Table, table=True):
    """The fold of a payment's events."""

    __tablename__: ClassVar[Any] = "payment"

    id: UUID = Field(primary_key=True)
    order_id: UUID = Field(unique=True)
    user_id: UUID
    status: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    version: int
    state: Any = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class EventRow(_Table, table=True):
    """What happened to a payment; never changed."""

    __tablename__: ClassVar[Any] = "payment_event"

    payment_id: UUID = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    type: str = Field(sa_type=Text)
    data: Any = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=_INSTANT)


class AttemptRow(_Table, table=True):
    """Whose reference it is."""

    __tablename__: ClassVar[Any] = "attempt"

    reference: str = Field(primary_key=True, sa_type=Text)
    payment_id: UUID = Field(foreign_key="payment.id")
    number: int


class RefundRow(_Table, table=True):
    """Whose refund it is."""

    __tablename__: ClassVar[Any] = "refund"

    id: UUID = Field(primary_key=True)
    payment_id: UUID = Field(foreign_key="payment.id")


class TransactionRow(_Table, table=True):
    """What a transaction of a rail moves."""

    __tablename__: ClassVar[Any] = "rail_transaction"

    rail: str = Field(primary_key=True, sa_type=Text)
    transaction: str = Field(primary_key=True, sa_type=Text)
    payment_id: UUID = Field(foreign_key="payment.id")
    attempt: int | None = None
    refund_id: UUID | None = Field(default=None, foreign_key="refund.id")
    begun_at: datetime = Field(sa_type=_INSTANT)
    ended_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class RailRow(_Table, table=True):
    """A rail."""

    __tablename__: ClassVar[Any] = "rail"

    name: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    registration: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    keys: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    registered_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    trouble: str | None = Field(default=None, sa_type=Text)
    removed_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class MessageRow(_Table, table=True):
    """A message to a rail."""

    __tablename__: ClassVar[Any] = "rail_message"

    id: UUID = Field(primary_key=True)
    rail: str = Field(sa_type=Text)
    api: str = Field(sa_type=Text)
    payment_id: UUID | None = None
    method: str = Field(sa_type=Text)
    path: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    attempts: int
    next_at: datetime = Field(sa_type=_INSTANT)
    useless_after: datetime | None = Field(default=None, sa_type=_INSTANT)
    trouble: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    settled_at: datetime | None = Field(default=None, sa_type=_INSTANT)


class ReceivedRow(_Table, table=True):
    """A message from a rail."""

    __tablename__: ClassVar[Any] = "rail_received"

    sender: str = Field(primary_key=True, sa_type=Text)
    message_id: UUID = Field(primary_key=True)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    api: str = Field(sa_type=Text)
    payment_id: UUID | None = None
    what: str = Field(sa_type=Text)
    refusal: str | None = Field(default=None, sa_type=Text)
    received_at: datetime = Field(sa_type=_INSTANT)


class EndpointRow(_Table, table=True):
    """Where webhooks go."""

    __tablename__: ClassVar[Any] = "webhook_endpoint"

    id: UUID = Field(primary_key=True)
    url: str = Field(sa_type=Text, unique=True)
    events: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    description: str = Field(sa_type=Text)
    enabled: bool
    disabled_reason: str | None = Field(default=None, sa_type=Text)
    secrets: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    version: int


class WebhookMessageRow(_Table, table=True):
    """An event as endpoints are sent it."""

    __tablename__: ClassVar[Any] = "webhook_message"

    id: str = Field(primary_key=True, sa_type=Text)
    type: str = Field(sa_type=Text)
    payment_id: UUID
    payload: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)


class DeliveryRow(_Table, table=True):
    """A message on its way to an endpoint."""

    __tablename__: ClassVar[Any] = "webhook_delivery"

    id: UUID = Field(primary_key=True)
    endpoint_id: UUID = Field(foreign_key="webhook_endpoint.id")
    message_id: str = Field(sa_type=Text, foreign_key="webhook_message.id")
    state: str = Field(sa_type=Text)
    attempts: int
    begun_at: datetime = Field(sa_type=_INSTANT)
    next_at: datetime | None = Field(default=None, sa_type=_INSTANT)
    created_at: datetime = Field(sa_type=_INSTANT)


class TryRow(_Table, table=True):
    """One request to an endpoint."""

    __tablename__: ClassVar[Any] = "webhook_try"

    delivery_id: UUID = Field(primary_key=True, foreign_key="webhook_delivery.id")
    at: datetime = Field(primary_key=True, sa_type=_INSTANT)
    number: int = Field(primary_key=True)
    status: int | None = None
    error: str | None = Field(default=None, sa_type=Text)
    milliseconds: int
