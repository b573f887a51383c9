"""Endpoints, and the log of what was delivered to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text, tuple_
from sqlmodel import col, select

from services.payments.store.tables import DeliveryRow, EndpointRow, TryRow, WebhookMessageRow
from suuupra.db import Transaction
from suuupra.ids import new_id

WAITING: Final = "payments_webhooks"
"""NOTIFY channel: there is something to deliver."""
LEASE: Final = timedelta(seconds=30)
"""How long a delivery belongs to the process that makes it: longer than a request may take."""

_FAN_OUT: Final = text("""
SELECT id FROM webhook_endpoint WHERE enabled AND :type = ANY(events) ORDER BY id FOR SHARE
""")
_RING: Final = text("SELECT pg_notify(:channel, '')")
_CLAIM: Final = text("""
WITH claimed AS (
    UPDATE webhook_delivery SET attempts = attempts + 1, next_at = :until
    WHERE id IN (
        SELECT id FROM webhook_delivery WHERE state = 'waiting' AND next_at <= :now
        ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, endpoint_id, message_id, attempts, begun_at)
SELECT claimed.id, claimed.endpoint_id, claimed.message_id, claimed.attempts, claimed.begun_at,
    endpoint.url, endpoint.secrets, message.payload
FROM claimed JOIN webhook_endpoint endpoint ON endpoint.id = claimed.endpoint_id
JOIN webhook_message message ON message.id = claimed.message_id
""")
_NEXT: Final = text("SELECT min(next_at) FROM webhook_delivery WHERE state = 'waiting'")
_STOP: Final = text("""
UPDATE webhook_delivery SET state = 'failed', next_at = NULL WHERE endpoint_id = :id AND state = 'waiting'
""")


async def announce(tx: Transaction, message: WebhookMessageRow, now: datetime) -> int:
    """Have a message delivered to every endpoint that wants its type; how many there are."""
    endpoints = list((await tx.execute(_FAN_OUT, {"type": message.type})).scalars())
    if not endpoints:
        return 0
    tx.add(message)
    await tx.flush()
    for endpoint_id in endpoints:
        tx.add(
            DeliveryRow(
                id=new_id(),
                endpoint_id=endpoint_id,
                message_id=message.id,
                state="waiting",
                attempts=0,
                begun_at=now,
                next_at=now,
                created_at=now,
            )
        )
    await ring(tx)
    return len(endpoints)


async def ring(tx: Transaction) -> None:
    """Wake whoever delivers, at commit."""
    await tx.execute(_RING, {"channel": WAITING})


async def claim(tx: Transaction, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Deliveries that are due, with all that is needed to make them; they are the caller's for `LEASE`."""
    return (await tx.execute(_CLAIM, {"now": now, "until": now + LEASE, "limit": limit})).all()


async def next_due(tx: Transaction) -> datetime | None:
    """When the next delivery is due."""
    due: datetime | None = await tx.scalar(_NEXT)
    return due


async def lock_delivery(tx: Transaction, endpoint_id: UUID, delivery_id: UUID) -> DeliveryRow | None:
    """A delivery to be changed."""
    found = select(DeliveryRow).where(DeliveryRow.id == delivery_id, DeliveryRow.endpoint_id == endpoint_id)
    return (await tx.exec(found.with_for_update())).one_or_none()


async def lock_endpoint(tx: Transaction, endpoint_id: UUID) -> EndpointRow | None:
    """An endpoint to be changed."""
    found = select(EndpointRow).where(EndpointRow.id == endpoint_id)
    return (await tx.exec(found.with_for_update())).one_or_none()


async def endpoint(tx: Transaction, endpoint_id: UUID) -> EndpointRow | None:
    """An endpoint to be shown."""
    return await tx.get(EndpointRow, endpoint_id)


async def taken(tx: Transaction, url: str, other_than: UUID | None = None) -> bool:
    """Whether an endpoint has that address."""
    query = select(EndpointRow.id).where(EndpointRow.url == url)
    found = (await tx.exec(query)).one_or_none()
    return found is not None and found != other_than


async def endpoints(tx: Transaction, after: tuple[UUID] | None, limit: int) -> Sequence[EndpointRow]:
    """Endpoints, the newest first."""
    query = select(EndpointRow)
    if after is not None:
        query = query.where(col(EndpointRow.id) < after[0])
    return (await tx.exec(query.order_by(col(EndpointRow.id).desc()).limit(limit))).all()


async def stop(tx: Transaction, endpoint_id: UUID) -> None:
    """Give up what waits for an endpoint."""
    await tx.execute(_STOP, {"id": endpoint_id})


async def deliveries(
    tx: Transaction, endpoint_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[DeliveryRow, str]]:
    """The deliveries of an endpoint with their types, the newest first."""
    query = (
        select(DeliveryRow, WebhookMessageRow.type)
        .join(WebhookMessageRow, col(WebhookMessageRow.id) == DeliveryRow.message_id)
        .where(DeliveryRow.endpoint_id == endpoint_id)
    )
    if after is not None:
        query = query.where(tuple_(col(DeliveryRow.created_at), col(DeliveryRow.id)) < after)
    order = (col(DeliveryRow.created_at).desc(), col(DeliveryRow.id).desc())
    return (await tx.exec(query.order_by(*order).limit(limit))).all()


async def delivery(
    tx: Transaction, endpoint_id: UUID, delivery_id: UUID
) -> tuple[DeliveryRow, WebhookMessageRow] | None:
    """A delivery with its message."""
    query = (
        select(DeliveryRow, WebhookMessageRow)
        .join(WebhookMessageRow, col(WebhookMessageRow.id) == DeliveryRow.message_id)
        .where(DeliveryRow.id == delivery_id, DeliveryRow.endpoint_id == endpoint_id)
    )
    return (await tx.exec(query)).one_or_none()


async def tries(tx: Transaction, delivery_id: UUID) -> Sequence[TryRow]:
    """The requests that were made of a delivery, in order."""
    query = select(TryRow).where(TryRow.delivery_id == delivery_id)
    return (await tx.exec(query.order_by(col(TryRow.at), col(TryRow.number)))).all()


async def about(tx: Transaction, payment_id: UUID) -> Sequence[tuple[DeliveryRow, WebhookMessageRow]]:
    """What was, or is to be, delivered about a payment."""
    query = (
        select(DeliveryRow, WebhookMessageRow)
        .join(WebhookMessageRow, col(WebhookMessageRow.id) == DeliveryRow.message_id)
        .where(WebhookMessageRow.payment_id == payment_id)
    )
    return (await tx.exec(query.order_by(col(DeliveryRow.created_at)))).all()
