"""Webhooks: an event that the platform publishes is also put on its way to every endpoint that wants it."""

import json
from datetime import datetime
from uuid import UUID

from services.payments.store import webhooks as store
from services.payments.store.tables import WebhookMessageRow
from suuupra.db import Transaction
from suuupra.events import Event


async def announce(tx: Transaction, payment_id: UUID, event_id: UUID, event: Event, at: datetime) -> None:
    """Put `event` on its way. Its id is that of the published event, so both can be told to be the same."""
    body = {"type": event.type, "timestamp": at.isoformat(), "data": event.model_dump(mode="json")}
    message = WebhookMessageRow(
        id=f"msg_{event_id.hex}",
        type=event.type,
        payment_id=payment_id,
        payload=json.dumps(body, separators=(",", ":"), ensure_ascii=False),
        created_at=at,
    )
    await store.announce(tx, message, at)
