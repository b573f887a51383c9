"""Payments and refunds as payments publishes them, and Kafka messages as its relay sends them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from services.payments.contract import (
    PaymentRefunded,
    PaymentSucceeded,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.db import Database, DatabaseUnavailable
from suuupra.events import Event, schema_urn
from suuupra.ids import new_id
from suuupra.testing.waiting import until

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def payment(amount: int = 49900, tax: int = 7612, **more: Any) -> PaymentSucceeded:
    return PaymentSucceeded.model_validate(
        {
            "payment_id": new_id(),
            "order_id": new_id(),
            "user_id": new_id(),
            "amount_minor": amount,
            "tax_minor": tax,
            "currency": "INR",
            "rail": "upi",
            "rail_reference": f"SUP{uuid4().hex}",
            "rrn": "600112345678",
            "succeeded_at": NOON,
            **more,
        }
    )


def refund(
    of: PaymentSucceeded, amount: int, tax: int, total: int | None = None, **more: Any
) -> PaymentRefunded:
    return PaymentRefunded.model_validate(
        {
            **of.model_dump(exclude={"succeeded_at"}),
            "refund_id": new_id(),
            "amount_minor": amount,
            "tax_minor": tax,
            "refunded_total_minor": amount if total is None else total,
            "reason": "requested",
            "refunded_at": NOON + timedelta(hours=1),
            **more,
        }
    )


def surplus(of: PaymentSucceeded, **more: Any) -> SurplusReceived:
    """The amount of a payment, once more."""
    told = of.model_dump(exclude={"succeeded_at", "tax_minor"})
    came = {"surplus_id": new_id(), "attempt": 1, "rrn": "600112345679", "received_at": NOON}
    return SurplusReceived.model_validate({**told, **came, **more})


def surplus_back(of: SurplusReceived, **more: Any) -> SurplusReturned:
    """A surplus that went back."""
    told = of.model_dump(exclude={"attempt", "received_at"})
    went = {"refund_id": new_id(), "rrn": "600112345680", "returned_at": NOON + timedelta(hours=1)}
    return SurplusReturned.model_validate({**told, **went, **more})


def message(
    event: Event,
    subject: UUID,
    sequence: int = 1,
    *,
    after: Mapping[str, int] | None = None,
    id_: UUID | None = None,
) -> tuple[str, dict[str, Any]]:
    """Topic and message of an event of the aggregate `subject`."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(id_ or new_id()),
        "ce_type": event.type,
        "ce_source": "/services/payments",
        "ce_subject": str(subject),
        "ce_sequence": str(sequence),
        "ce_after": json.dumps(dict(after or {})),
        "ce_time": NOON.isoformat(),
        "ce_dataschema": schema_urn(event.type, event.version),
    }
    content = {
        "key": str(subject).encode(),
        "value": event.model_dump_json().encode(),
        "headers": [(name, value.encode()) for name, value in headers.items()],
    }
    return event.type, content


def paid(event: PaymentSucceeded, **more: Any) -> tuple[str, dict[str, Any]]:
    """A payment's first event."""
    return message(event, event.payment_id, 1, **more)


def given_back(event: PaymentRefunded, sequence: int = 2) -> tuple[str, dict[str, Any]]:
    """A refund, which follows its payment."""
    after = {"payment.succeeded": 1} | ({"payment.refunded": sequence - 1} if sequence > 2 else {})
    return message(event, event.payment_id, sequence, after=after)


def paid_twice(event: SurplusReceived) -> tuple[str, dict[str, Any]]:
    """A surplus, which follows its payment."""
    return message(event, event.payment_id, 2, after={"payment.succeeded": 1})


def taken_back(event: SurplusReturned) -> tuple[str, dict[str, Any]]:
    """A surplus that went back, which follows both."""
    return message(event, event.payment_id, 3, after={"payment.succeeded": 1, "surplus.received": 2})


async def send(bootstrap: str, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Write messages in the given order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, **content) for topic, content in messages])
    finally:
        await producer.stop()


async def journals_reach(database: Database, count: int, *, limit: float = 90.0) -> int:
    """Return when there are `count` journals that are no accounts'; how many there are."""

    async def enough() -> bool:
        try:
            return await transfers(database) >= count
        except DatabaseUnavailable:  # no connection within a second, on a busy machine: it cannot tell yet
            return False

    await until(enough, limit=limit)
    return await transfers(database)


async def transfers(database: Database) -> int:
    """How many journals there are that moved something."""
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM journal WHERE kind <> 'account'")) or 0)


async def scalar(database: Database, statement: str, **values: Any) -> Any:
    async with database.reading() as tx:
        return await tx.scalar(text(statement), values)
