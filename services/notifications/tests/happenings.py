"""Events as their owners publish them, about the people of the tests."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.commerce.contract import (
    EntitlementGranted,
    EntitlementRevoked,
    OrderCanceled,
    OrderExpired,
    OrderLine,
    OrderPaid,
    OrderRefunded,
    entitlement_key,
)
from services.content.contract import CoursePublished
from services.identity.contract import UserCreated
from services.notifications.consumers import consumers
from services.notifications.settings import Settings
from services.payments.contract import PaymentFailed, PaymentSucceeded
from suuupra.clock import Clock
from suuupra.db import Database
from suuupra.events import Event, Meta, schema_urn

NOW = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
TITLE = "The Python Tutorial"


@dataclass(frozen=True)
class Happening:
    """An event with what the bus says of it."""

    event: Event
    aggregate: str
    sequence: int = 1
    id: UUID = field(default_factory=uuid4)

    def meta(self) -> Meta:
        """As a consumer is told."""
        return Meta(
            id=self.id,
            type=self.event.type,
            version=1,
            source="/services/other",
            subject=self.aggregate,
            sequence=self.sequence,
            after={},
            time=NOW,
            traceparent=None,
            topic=self.event.type,
            partition=0,
            offset=0,
        )

    def message(self) -> dict[str, Any]:
        """As a relay sends it."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(self.id),
            "ce_type": self.event.type,
            "ce_source": "/services/other",
            "ce_subject": self.aggregate,
            "ce_sequence": str(self.sequence),
            "ce_after": json.dumps({}),
            "ce_time": NOW.isoformat(),
            "ce_dataschema": schema_urn(self.event.type, 1),
            "content-type": "application/json",
        }
        return {
            "key": self.aggregate.encode(),
            "value": self.event.model_dump_json().encode(),
            "headers": [(name, value.encode()) for name, value in headers.items()],
        }


@dataclass(frozen=True)
class Learner:
    """Somebody with one order for one course, and all that can happen to them."""

    id: UUID = field(default_factory=uuid4)
    order_id: UUID = field(default_factory=uuid4)
    payment_id: UUID = field(default_factory=uuid4)
    refund_id: UUID = field(default_factory=uuid4)
    course_id: UUID = field(default_factory=uuid4)
    locale: str = "en-IN"
    number: str = "SU-2026-000042"

    @property
    def email(self) -> str:
        return f"asha.{self.id.hex[-8:]}@example.org"

    def signed_up(self) -> Happening:
        event = UserCreated(
            user_id=self.id,
            email=self.email,
            name="Asha Rao",
            locale=self.locale,
            roles=["learner"],
            created_at=NOW,
        )
        return Happening(event, str(self.id))

    def paid(self) -> Happening:
        line = OrderLine(
            product_id=uuid4(),
            variant_id=uuid4(),
            course_id=self.course_id,
            title=TITLE,
            quantity=1,
            unit_minor=49_900,
            discount_minor=4_990,
            tax_minor=6_851,
            tax_permille=180,
            total_minor=44_910,
        )
        event = OrderPaid(
            order_id=self.order_id,
            number=self.number,
            user_id=self.id,
            payment_id=self.payment_id,
            invoice_number="INV/25-26/000007",
            lines=[line],
            currency="INR",
            tax_minor=6_851,
            total_minor=44_910,
            paid_at=NOW,
        )
        return Happening(event, str(self.order_id), 2)

    def expired(self) -> Happening:
        event = OrderExpired(order_id=self.order_id, number=self.number, user_id=self.id, expired_at=NOW)
        return Happening(event, str(self.order_id), 2)

    def canceled(self) -> Happening:
        event = OrderCanceled(order_id=self.order_id, number=self.number, user_id=self.id, canceled_at=NOW)
        return Happening(event, str(self.order_id), 2)

    def refunded(self, reason: str = "requested", *, full: bool = True) -> Happening:
        event = OrderRefunded.model_validate(
            {
                "order_id": self.order_id,
                "number": self.number,
                "user_id": self.id,
                "payment_id": self.payment_id,
                "refund_id": self.refund_id,
                "amount_minor": 44_910 if full else 10_000,
                "refunded_total_minor": 44_910 if full else 10_000,
                "currency": "INR",
                "reason": reason,
                "full": full,
                "refunded_at": NOW,
            }
        )
        return Happening(event, str(self.order_id), 3)

    def payment_succeeded(self) -> Happening:
        event = PaymentSucceeded(
            payment_id=self.payment_id,
            order_id=self.order_id,
            user_id=self.id,
            amount_minor=44_910,
            tax_minor=6_851,
            currency="INR",
            rail="upi",
            rail_reference="UPI1",
            rrn="633412000001",
            succeeded_at=NOW,
        )
        return Happening(event, str(self.payment_id), 2)

    def payment_failed(self, attempt: int = 1) -> Happening:
        event = PaymentFailed(
            payment_id=self.payment_id,
            order_id=self.order_id,
            user_id=self.id,
            attempt=attempt,
            code="ZM",
            reason="The PIN was wrong.",
            failed_at=NOW,
        )
        return Happening(event, str(self.payment_id), attempt)

    def granted(self, sequence: int = 1) -> Happening:
        event = EntitlementGranted(
            user_id=self.id, course_id=self.course_id, order_id=self.order_id, granted_at=NOW
        )
        return Happening(event, entitlement_key(self.id, self.course_id), sequence)

    def revoked(self, sequence: int = 2) -> Happening:
        event = EntitlementRevoked(
            user_id=self.id, course_id=self.course_id, order_id=self.order_id, revoked_at=NOW
        )
        return Happening(event, entitlement_key(self.id, self.course_id), sequence)

    def course_published(self, title: str = TITLE, revision: int = 1) -> Happening:
        event = CoursePublished(
            course_id=self.course_id,
            revision=revision,
            slug="the-python-tutorial",
            title=title,
            summary="",
            language="en",
            owner="the platform",
            lesson_count=1,
            published_at=NOW,
        )
        return Happening(event, str(self.course_id), revision)

    def everything(self) -> list[Happening]:
        """All kinds, once."""
        return [
            self.signed_up(),
            self.course_published(),
            self.payment_failed(),
            self.payment_succeeded(),
            self.paid(),
            self.expired(),
            self.canceled(),
            self.refunded(),
            self.granted(),
            self.revoked(),
        ]


async def deliver(
    database: Database, settings: Settings, clock: Clock, happenings: Iterable[Happening]
) -> None:
    """Have the service's own handlers take events in, each in a transaction of its own, in that order."""
    handlers = {it.event: it.handle for it in consumers(settings, clock)}
    for happening in happenings:
        async with database.transaction() as tx:
            await handlers[type(happening.event)](tx, [(happening.event, happening.meta())])
