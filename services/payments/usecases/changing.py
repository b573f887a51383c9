"""How a payment changes: lock, fold, decide, add events, and what follows from them, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from services.payments.clients.rails import Rails
from services.payments.domain import events as e
from services.payments.domain.attempts import Contradiction
from services.payments.domain.events import PaymentEvent
from services.payments.domain.folding import apply
from services.payments.domain.payment import Payment
from services.payments.domain.rails import Outgoing
from services.payments.domain.reactions import (
    AskOutcome,
    AskRefund,
    NoTimer,
    Publish,
    Reaction,
    Timer,
    react,
)
from services.payments.store import payments as store
from services.payments.store import rails as rail_store
from services.payments.store.tables import MessageRow
from services.payments.usecases import announcing
from suuupra import failpoints, logs, outbox, schedule
from suuupra.db import Transaction
from suuupra.errors import not_found

_log = logs.get_logger(__name__)
_EVENTS: Final = Counter("suuupra_payments_events_total", "What happened to payments.", ["type"])
_CONTRADICTIONS: Final = Counter(
    "suuupra_payments_contradictions_total", "What a rail said that cannot be; nothing was done."
)


@dataclass(slots=True)
class Change:
    """One use case's transaction: whence rails come, what time it is, and the messages that arose.

    `mine`: this process sends the messages itself when the transaction is over (`sent` has them).
    """

    tx: Transaction
    rails: Rails
    now: datetime
    mine: bool = False
    sent: list[MessageRow] = field(default_factory=list)

    async def locked(self, payment_id: UUID) -> Payment:
        """The payment, to be changed. Raises NotFound."""
        payment = await store.lock(self.tx, payment_id)
        if payment is None:
            raise not_found("payment", payment_id)
        return payment

    async def record(self, payment: Payment, events: Sequence[PaymentEvent]) -> Payment:
        """Add what happened to a locked payment, and do what follows from it; the payment as it is now."""
        if not events:
            return payment
        reactions: list[Reaction] = []
        after = payment
        for event in events:
            after = apply(after, event, self.now)
            reactions += react(after, event, self.now)
            await store.remember(self.tx, after, event, self.now)
        await store.save(self.tx, payment, events, after, self.now)
        for reaction in reactions:
            await self._do(after, reaction)
        failpoints.hit("payments.recorded")
        _count(after, events)
        return after

    def contradicted(self, payment: Payment, found: Contradiction) -> None:
        """Leave word for people; nothing happens to the payment."""
        _CONTRADICTIONS.inc()
        _log.error("the rail contradicts what is known", payment=str(payment.id), what=found.what)

    async def send(self, message: Outgoing) -> None:
        """Have a message sent to a rail."""
        row = await rail_store.queue(self.tx, message, self.now, mine=self.mine)
        if self.mine:
            self.sent.append(row)

    async def _do(self, payment: Payment, reaction: Reaction) -> None:
        match reaction:
            case Publish(event):
                event_id = await outbox.append(self.tx, payment.id, event, at=self.now)
                await announcing.announce(self.tx, payment.id, event_id, event, self.now)
            case Timer(kind, key, due):
                await schedule.put(self.tx, kind, key, due)
            case NoTimer(kind, key):
                await schedule.cancel(self.tx, kind, key)
            case AskOutcome(rail, transaction):
                asked = (await self.rails.named(self.tx, rail)).ask_outcome(payment, transaction, self.now)
                await self.send(asked)
            case AskRefund(rail, refund_id):
                await self.send(await self._refund(payment, rail, refund_id))

    async def _refund(self, payment: Payment, rail: str, refund_id: UUID) -> Outgoing:
        refund = payment.refund(refund_id)
        came = payment.receipt(refund.surplus) if refund else None
        if refund is None or came is None:
            raise LookupError(f"payment {payment.id} has nothing to refund")
        return (await self.rails.named(self.tx, rail)).ask_refund(payment, came, refund, self.now)


def _count(payment: Payment, events: Sequence[PaymentEvent]) -> None:
    for event in events:
        _EVENTS.labels(event.type).inc()
        if isinstance(event, e.RefundFailed):
            _log.error("for people to see to", payment=str(payment.id), event_type=event.type)
