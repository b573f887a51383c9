"""From an event to what a person is told: to whom, of what, and what makes it one thing however often it is heard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from services.commerce.contract import (
    EntitlementGranted,
    EntitlementRevoked,
    OrderCanceled,
    OrderExpired,
    OrderPaid,
    OrderRefunded,
)
from services.identity.contract import UserCreated
from services.notifications.contract import Kind
from services.payments.contract import PaymentFailed, PaymentSucceeded
from suuupra.events import Event, Meta

_SPACE: Final = UUID("7f0c7a52-9a0e-5f0b-8d0a-6b1d2a5c9e10")
"""Of the names that become ids; never change it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to tell one user.

    `cause` names what happened in the words of whoever it happened to (an order, a refund, an attempt), so that even
    an event published again under a new id is the same fact.
    """

    user_id: UUID
    kind: Kind
    cause: str
    data: dict[str, Any]

    @property
    def id(self) -> UUID:
        """The same for the same fact, wherever and whenever it is worked out."""
        return uuid5(_SPACE, f"{self.kind} {self.cause}")


def of(event: Event, meta: Meta) -> Fact:
    """The fact in an event."""
    return _OF[type(event)](event, meta)


def _welcome(event: UserCreated, _meta: Meta) -> Fact:
    return Fact(event.user_id, "welcome", str(event.user_id), {"name": event.name})


def _paid(event: OrderPaid, _meta: Meta) -> Fact:
    return Fact(event.user_id, "order_paid", str(event.order_id), _data(event))


def _expired(event: OrderExpired, _meta: Meta) -> Fact:
    return Fact(event.user_id, "order_expired", str(event.order_id), _data(event))


def _canceled(event: OrderCanceled, _meta: Meta) -> Fact:
    return Fact(event.user_id, "order_canceled", str(event.order_id), _data(event))


def _refunded(event: OrderRefunded, _meta: Meta) -> Fact:
    return Fact(event.user_id, "order_refunded", str(event.refund_id), _data(event))


def _succeeded(event: PaymentSucceeded, _meta: Meta) -> Fact:
    return Fact(event.user_id, "payment_succeeded", str(event.payment_id), _data(event))


def _failed(event: PaymentFailed, _meta: Meta) -> Fact:
    return Fact(event.user_id, "payment_failed", f"{event.payment_id}/{event.attempt}", _data(event))


def _granted(event: EntitlementGranted, meta: Meta) -> Fact:
    return Fact(event.user_id, "entitlement_granted", f"{meta.subject}/{meta.sequence}", _data(event))


def _revoked(event: EntitlementRevoked, meta: Meta) -> Fact:
    return Fact(event.user_id, "entitlement_revoked", f"{meta.subject}/{meta.sequence}", _data(event))


def _data(event: Event) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude={"user_id"})


_OF: Final[dict[type[Event], Callable[[Any, Meta], Fact]]] = {
    UserCreated: _welcome,
    OrderPaid: _paid,
    OrderExpired: _expired,
    OrderCanceled: _canceled,
    OrderRefunded: _refunded,
    PaymentSucceeded: _succeeded,
    PaymentFailed: _failed,
    EntitlementGranted: _granted,
    EntitlementRevoked: _revoked,
}
TOLD: Final = tuple(_OF)
"""The events that people are told of."""
