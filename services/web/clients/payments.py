"""What web asks of payments: the payment of an order, attempts to pay it, and what happens to it, live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import UUID

from pydantic import BaseModel

from services.payments.contract import (
    AttemptStatus,
    AttemptView,
    NewAttempt,
    PaymentView,
    StartedAttempt,
    Timeline,
)
from services.web.clients.calling import Away, Call, Service
from services.web.domain.paying import Attempt, AttemptState, Payment

_STATES: Final[Mapping[AttemptStatus, AttemptState]] = {
    "chosen": "open",
    "awaiting_payer": "open",
    "pending": "confirming",
    "unresolved": "unsure",
    "succeeded": "succeeded",
    "failed": "failed",
    "expired": "expired",
    "closed": "closed",
}


class PaymentsAway(Away):
    """Payments does not answer, or answers that it cannot."""

    slug = "payments-away"
    title = "Paying is away for a moment"
    about = (
        "We cannot reach the till right now. Nothing is taken twice: what you approved is found again. "
        "Try again in a few seconds."
    )


class _Listed(BaseModel):
    items: list[PaymentView]


class Payments(Service):
    """The till."""

    name: ClassVar[str] = "payments"
    away: ClassVar[type[Away]] = PaymentsAway

    async def of_order(self, order: UUID, bearer: str) -> Payment | None:
        """The payment of an order; None until payments has heard of the order."""
        found = await self.get(_Listed, "/v1/payments", {"order_id": str(order)}, bearer=bearer)
        return _payment(found.items[-1]) if found.items else None

    async def views(self, order: UUID, bearer: str) -> list[PaymentView]:
        """Everything of an order's payments, for support."""
        return (await self.get(_Listed, "/v1/payments", {"order_id": str(order)}, bearer=bearer)).items

    async def timeline(self, payment: UUID, bearer: str) -> Timeline:
        """What happened to a payment; for support with every message of the rail."""
        return await self.get(Timeline, f"/v1/payments/{payment}/timeline", bearer=bearer)

    async def begin(self, payment: UUID, number: int, bearer: str) -> None:
        """Begin the attempt of that number by QR code. However often it is asked: one attempt of that number."""
        body = NewAttempt(method="upi_qr").model_dump(mode="json")
        key = f"attempt-{payment}-{number}"
        path = f"/v1/payments/{payment}/attempts"
        answer = await self.ask(Call("POST", path, json=body, bearer=bearer, key=key))
        StartedAttempt.model_validate_json(answer.content)


def events_path(payment: UUID) -> str:
    """Where a payment's changes are told, live."""
    return f"/v1/payments/{payment}/events"


def _payment(view: PaymentView) -> Payment:
    attempts = tuple(_attempt(one) for one in view.attempts)
    canceled = view.status == "canceled" or view.cancel_wanted
    return Payment(view.id, view.status == "succeeded", canceled, attempts)


def _attempt(view: AttemptView) -> Attempt:
    return Attempt(
        number=view.number,
        state=_state(view),
        link=view.upi_uri,
        expires_at=view.expires_at,
        code=view.code,
        reason=view.reason,
    )


def _state(view: AttemptView) -> AttemptState:
    """Of a deemed attempt the rail itself does not know the end."""
    return "unsure" if view.deemed else _STATES[view.state]
