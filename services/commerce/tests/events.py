"""Events of others, handed to the service's consumers; and its own, read from its outbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.commerce.consumers import consumers
from services.commerce.schedules import schedules
from services.commerce.settings import Settings
from services.payments.contract import (
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    RefundFailed,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.events import Event, Meta
from suuupra.ids import new_id
from suuupra.schedule import Scheduler

Order = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What reaches commerce, and what leaves it."""

    database: Database
    settings: Settings
    clock: FakeClock

    async def hand_over(self, *events: Event) -> None:
        """Handle each in a transaction of its own. What the inbox adds (once, in order) is the kit's to prove."""
        handlers = {one.event: one.handle for one in consumers(self.settings, self.clock)}
        for event in events:
            async with self.database.transaction() as tx:
                await handlers[type(event)](tx, [(event, self._meta(event))])

    def _meta(self, event: Event) -> Meta:
        return Meta(
            id=new_id(),
            type=event.type,
            version=1,
            source="/services/other",
            subject="",
            sequence=1,
            after={},
            time=self.clock.now(),
            traceparent=None,
            topic=event.type,
            partition=0,
            offset=0,
        )

    async def do_what_is_due(self) -> int:
        """Let the scheduler handle all that is due by the clock."""
        return await Scheduler(self.database, schedules(self.settings, self.clock), self.clock).handle_due()

    def succeeded(self, order: Order, payment_id: UUID | None = None, **other: Any) -> PaymentSucceeded:
        """A payment of the order's total."""
        given = {
            "payment_id": payment_id or new_id(),
            "order_id": order["id"],
            "user_id": order["user_id"],
            "amount_minor": order["total"]["minor"],
            "tax_minor": order["tax"]["minor"],
            "currency": order["total"]["currency"],
            "rail": "upi",
            "rail_reference": "SUU0001",
            "rrn": "600112345678",
            "succeeded_at": self.clock.now(),
        }
        return PaymentSucceeded.model_validate({**given, **other})

    def failed(self, order: Order, payment_id: UUID, attempt: int = 1) -> PaymentFailed:
        """A payment whose attempt failed."""
        return PaymentFailed(
            payment_id=payment_id,
            order_id=order["id"],
            user_id=order["user_id"],
            attempt=attempt,
            code="ZM",
            reason="The UPI PIN was wrong.",
            failed_at=self.clock.now(),
        )

    def refunded(
        self, order: Order, payment_id: str | UUID, refund_id: str | UUID, minor: int, **other: Any
    ) -> PaymentRefunded:
        """A refund that was carried out."""
        given = {
            "payment_id": payment_id,
            "order_id": order["id"],
            "user_id": order["user_id"],
            "refund_id": refund_id,
            "amount_minor": minor,
            "tax_minor": 0,
            "refunded_total_minor": minor,
            "currency": order["total"]["currency"],
            "rail": "upi",
            "rail_reference": "SUU0002",
            "rrn": "600112345679",
            "reason": "requested",
            "refunded_at": self.clock.now(),
        }
        return PaymentRefunded.model_validate({**given, **other})

    def refund_failed(
        self, order: Order, payment_id: str | UUID, refund_id: str | UUID, minor: int = 49_900, **other: Any
    ) -> RefundFailed:
        """A refund that cannot be made."""
        given = {
            "payment_id": payment_id,
            "order_id": order["id"],
            "user_id": order["user_id"],
            "refund_id": refund_id,
            "amount_minor": minor,
            "currency": order["total"]["currency"],
            "code": "XH",
            "reason": "The account does not exist.",
            "failed_at": self.clock.now(),
        }
        return RefundFailed.model_validate({**given, **other})

    def surplus(self, order: Order, payment_id: UUID) -> tuple[SurplusReceived, SurplusReturned]:
        """Money that came a second time, and went back."""
        given = {
            "payment_id": payment_id,
            "order_id": order["id"],
            "user_id": order["user_id"],
            "surplus_id": new_id(),
            "amount_minor": order["total"]["minor"],
            "currency": order["total"]["currency"],
            "rail": "upi",
            "rail_reference": "SUU0003",
        }
        now = self.clock.now()
        received = {**given, "attempt": 1, "rrn": "600112345680", "received_at": now}
        returned = {**given, "refund_id": new_id(), "rrn": "600112345681", "returned_at": now}
        return SurplusReceived.model_validate(received), SurplusReturned.model_validate(returned)

    async def pay(self, order: Order) -> UUID:
        """Let a payment of the order succeed; its id."""
        event = self.succeeded(order)
        await self.hand_over(event)
        return event.payment_id

    async def published(self, *types: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Type and data of every event in the outbox, in order; only of `types` when some are named."""
        async with self.database.reading() as tx:
            rows = (await tx.execute(text("SELECT type, data FROM outbox ORDER BY position"))).all()
        return [(row.type, row.data) for row in rows if not types or row.type in types]

    async def types(self) -> list[str]:
        """The type of every event in the outbox, in order."""
        return [type_ for type_, _ in await self.published()]
