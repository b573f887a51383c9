"""Events as commerce's relay would send them, and what payments published."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from suuupra.events import Event, schema_urn

TOPICS = (
    *("order.created", "order.expired", "order.canceled", "refund.requested"),
    *("payment.succeeded", "payment.failed", "payment.refunded"),
    *("refund.failed", "surplus.received", "surplus.returned"),
)


def message(event: Event, aggregate: UUID, sequence: int, **after: int) -> dict[str, Any]:
    """One event of commerce's as Kafka carries it; `order_created=1` says that it follows that one."""
    follows = {name.replace("_", "."): last for name, last in after.items()}
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_type": event.type,
        "ce_source": "/services/commerce",
        "ce_subject": str(aggregate),
        "ce_sequence": str(sequence),
        "ce_after": json.dumps(follows),
        "ce_time": "2026-01-01T00:00:00+00:00",
        "ce_dataschema": schema_urn(event.type, event.version),
    }
    return {
        "topic": event.type,
        "key": str(aggregate).encode(),
        "value": event.model_dump_json().encode(),
        "headers": [(name, value.encode()) for name, value in headers.items()],
    }


async def send(bootstrap: str, messages: Sequence[dict[str, Any]]) -> None:
    """Write messages in the given order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(**message) for message in messages])
    finally:
        await producer.stop()
