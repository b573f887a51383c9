"""The story of one payment: what happened, what was said to and by the rail, what was published and delivered."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.payments import contract
from services.payments.clients.upi import masked
from services.payments.domain.events import PaymentEvent
from services.payments.store import payments as store
from services.payments.store import rails as rail_store
from services.payments.store import webhooks as webhook_store
from suuupra.db import Transaction

_PLACES: Final = {"message_in": 0, "event": 1, "published": 2, "webhook": 3, "message_out": 4}
_PUBLISHED = text("""
SELECT type, sequence, occurred_at, published_at, traceparent FROM outbox WHERE aggregate_id = :id ORDER BY sequence
""")


async def of(tx: Transaction, payment_id: UUID, *, whole: bool) -> contract.Timeline:
    """The timeline of a payment; `whole` adds what only those who run the platform are to see."""
    entries = [_event(event, at) for _, event, at in await store.history(tx, payment_id)]
    if whole:
        entries += await _messages(tx, payment_id)
        entries += await _published(tx, payment_id)
        entries += await _webhooks(tx, payment_id)
    return contract.Timeline(payment_id=payment_id, items=in_order(entries))


def in_order(entries: Iterable[contract.TimelineEntry]) -> list[contract.TimelineEntry]:
    """By time. One transaction has one time: what came in stands first, then what it led to, then what was said of that.

    What is of one kind stays in the order it has.
    """
    return sorted(entries, key=lambda entry: (entry.at, _PLACES[entry.kind]))


def _event(event: PaymentEvent, at: Any) -> contract.TimelineEntry:
    details = event.model_dump(mode="json", exclude={"type", "link", "payment_id"})
    if "payer" in details:
        details["payer"] = masked(details["payer"])
    return contract.TimelineEntry(at=at, kind="event", what=event.type, details=details)


async def _messages(tx: Transaction, payment_id: UUID) -> list[contract.TimelineEntry]:
    sent = [
        contract.TimelineEntry(
            at=row.created_at,
            kind="message_out",
            what=row.api,
            details={"rail": row.rail, "id": str(row.id), "state": row.state, "attempts": row.attempts}
            | ({"trouble": row.trouble} if row.trouble else {}),
        )
        for row in await rail_store.sent_about(tx, payment_id)
    ]
    received = [
        contract.TimelineEntry(
            at=row.received_at,
            kind="message_in",
            what=row.api,
            details={"sender": row.sender, "id": str(row.message_id), "what": row.what},
        )
        for row in await rail_store.received_about(tx, payment_id)
    ]
    return sent + received


async def _published(tx: Transaction, payment_id: UUID) -> list[contract.TimelineEntry]:
    rows = await tx.execute(_PUBLISHED, {"id": str(payment_id)})
    return [
        contract.TimelineEntry(
            at=row.occurred_at,
            kind="published",
            what=row.type,
            details={
                "sequence": row.sequence,
                "published_at": row.published_at.isoformat() if row.published_at else None,
                **({"trace_id": row.traceparent.split("-")[1]} if row.traceparent else {}),
            },
        )
        for row in rows
    ]


async def _webhooks(tx: Transaction, payment_id: UUID) -> list[contract.TimelineEntry]:
    return [
        contract.TimelineEntry(
            at=delivery.created_at,
            kind="webhook",
            what=message.type,
            details={
                "endpoint": str(delivery.endpoint_id),
                "delivery": str(delivery.id),
                "state": delivery.state,
                "attempts": delivery.attempts,
            },
        )
        for delivery, message in await webhook_store.about(tx, payment_id)
    ]
