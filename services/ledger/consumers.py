"""What the ledger does with events: each payment, refund and surplus becomes one journal."""

from collections.abc import Sequence

from services.ledger.settings import Settings
from services.ledger.usecases import recording
from services.payments.contract import (
    PaymentRefunded,
    PaymentSucceeded,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.events import Meta
from suuupra.inbox import NEEDED, Subscription, on_batch


def consumers(settings: Settings, clock: Clock | None = None) -> Sequence[Subscription]:
    """The topics read, and what each does: in batches, since one writer that batches beats many that queue.

    What goes back is refused while what came is not in the books: it waits for it, however late that comes.
    """
    time_source = clock or SystemClock()

    async def succeeded(tx: Transaction, pairs: Sequence[tuple[PaymentSucceeded, Meta]]) -> None:
        await recording.succeeded(tx, time_source, [event for event, _ in pairs])

    async def refunded(tx: Transaction, pairs: Sequence[tuple[PaymentRefunded, Meta]]) -> None:
        await recording.refunded(tx, time_source, [event for event, _ in pairs])

    async def surplus_received(tx: Transaction, pairs: Sequence[tuple[SurplusReceived, Meta]]) -> None:
        await recording.surplus_received(tx, time_source, [event for event, _ in pairs])

    async def surplus_returned(tx: Transaction, pairs: Sequence[tuple[SurplusReturned, Meta]]) -> None:
        await recording.surplus_returned(tx, time_source, [event for event, _ in pairs])

    return [
        on_batch(PaymentSucceeded, succeeded, awaited=NEEDED),
        on_batch(PaymentRefunded, refunded),
        on_batch(SurplusReceived, surplus_received, awaited=NEEDED),
        on_batch(SurplusReturned, surplus_returned),
    ]
