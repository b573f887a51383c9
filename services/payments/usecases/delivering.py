"""Webhooks on their way: signed as Standard Webhooks says, tried again for three days, every try in the log."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter
from standardwebhooks.webhooks import Webhook

from services.payments.clients.keys import Keys, SealBroken
from services.payments.clients.receivers import Answer, Receivers
from services.payments.domain.webhooks import GONE, delivered, next_try
from services.payments.store import webhooks as store
from services.payments.store.tables import TryRow
from services.payments.usecases.webhooks import usable
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.errors import Unavailable

USER_AGENT: Final = "Suuupra-Webhooks/1"

_tries: Final = Counter("suuupra_payments_webhook_tries_total", "Requests to webhook endpoints.", ["result"])


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery with all that is needed to make it."""

    id: UUID
    endpoint_id: UUID
    message_id: str
    attempts: int
    begun_at: datetime
    url: str
    secrets: list[dict[str, Any]]
    payload: str


class WebhookPost:
    """What the courier needs to know of webhooks (suuupra.courier)."""

    name = "webhooks"
    channel = store.WAITING

    def __init__(self, keys: Keys, receivers: Receivers, clock: Clock) -> None:
        self._keys = keys
        self._receivers = receivers
        self._clock = clock

    async def claim(self, tx: Transaction, now: datetime, limit: int) -> Sequence[Parcel]:
        """Deliveries that are due."""
        return [Parcel(**row._mapping) for row in await store.claim(tx, now, limit)]

    async def next_due(self, tx: Transaction) -> datetime | None:
        return await store.next_due(tx)

    async def deliver(self, parcel: Parcel) -> Answer:
        """Sign with every secret that is good now, and send."""
        now = self._clock.now()
        try:
            ring = await self._keys.ring()
            secrets = [ring.unseal(sealed) for sealed in usable(parcel.secrets, now)]
        except (Unavailable, SealBroken) as error:
            return Answer(None, f"not sent: {error}", 0)
        headers = signed(secrets, parcel.message_id, parcel.payload, now)
        return await self._receivers.post(parcel.url, parcel.payload.encode(), headers)

    async def settle(self, database: Database, parcel: Parcel, result: Answer, now: datetime) -> bool:
        """Log the try, and decide what follows."""
        async with database.transaction() as tx:
            return await _note(tx, parcel, result, now)


async def _note(tx: Transaction, parcel: Parcel, result: Answer, now: datetime) -> bool:
    """Whether it is tried again."""
    if result.status == GONE:  # first: whoever changes an endpoint locks in this order
        await _switch_off(tx, parcel.endpoint_id)
    row = await store.lock_delivery(tx, parcel.endpoint_id, parcel.id)
    if row is None or (row.state != "waiting" and result.status != GONE):
        return False
    tx.add(
        TryRow(
            delivery_id=row.id,
            at=now,
            number=parcel.attempts,
            status=result.status,
            error=result.error,
            milliseconds=result.milliseconds,
        )
    )
    if result.status is not None and delivered(result.status):
        row.state, row.next_at = "delivered", None
        _tries.labels("delivered").inc()
        return False
    _tries.labels("failed").inc()
    row.next_at = None if result.status == GONE else next_try(row.begun_at, parcel.attempts, now)
    if row.next_at is None:
        row.state = "failed"
    return row.next_at is not None


async def _switch_off(tx: Transaction, endpoint_id: UUID) -> None:
    endpoint = await store.lock_endpoint(tx, endpoint_id)
    if endpoint is not None:
        endpoint.enabled, endpoint.version = False, endpoint.version + 1
        endpoint.disabled_reason = "the receiver answered 410 Gone"
        await store.stop(tx, endpoint_id)


def signed(secrets: Sequence[str], message_id: str, payload: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery (Standard Webhooks): one signature for each secret."""
    moment = now.astimezone(UTC)
    signatures = [Webhook(secret).sign(message_id, moment, payload) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(math.floor(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
