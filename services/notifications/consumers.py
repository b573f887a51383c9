"""What notifications does with events: it tells people, and learns whom it writes to."""

from collections.abc import Sequence
from functools import partial

from services.commerce.contract import (
    EntitlementGranted,
    EntitlementRevoked,
    OrderCanceled,
    OrderExpired,
    OrderPaid,
    OrderRefunded,
)
from services.content.contract import CoursePublished
from services.identity.contract import UserCreated
from services.notifications.settings import Settings
from services.notifications.usecases import telling
from services.payments.contract import PaymentFailed, PaymentSucceeded
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.inbox import Subscription, on_batch

_TOLD = (
    OrderPaid,
    OrderExpired,
    OrderCanceled,
    OrderRefunded,
    PaymentSucceeded,
    PaymentFailed,
    EntitlementGranted,
    EntitlementRevoked,
)


def consumers(_settings: Settings, clock: Clock | None = None) -> Sequence[Subscription]:
    """The topics read, and what each does."""
    time_source = clock or SystemClock()

    async def tell(tx: Transaction, events: telling.Told) -> None:
        await telling.tell(tx, time_source, events)

    return [
        on_batch(UserCreated, partial(_meet, time_source)),
        on_batch(CoursePublished, telling.name_courses),
        *(on_batch(event, tell) for event in _TOLD),
    ]


async def _meet(clock: Clock, tx: Transaction, events: telling.Told) -> None:
    await telling.meet(tx, clock, events)
