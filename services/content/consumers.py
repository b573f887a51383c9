"""What content does with events: it counts its own lessons' completions, and notes who may read what is locked."""

from collections.abc import Sequence
from functools import partial

from services.commerce.contract import EntitlementGranted, EntitlementRevoked
from services.content.contract import LessonCompleted
from services.content.settings import Settings
from services.content.usecases import entitling, progress
from suuupra.clock import Clock, SystemClock
from suuupra.db import Transaction
from suuupra.events import Meta
from suuupra.inbox import Subscription, on_batch


def consumers(_settings: Settings, clock: Clock | None = None) -> Sequence[Subscription]:
    """The topics read, and what each does."""
    time = clock or SystemClock()
    return [
        on_batch(LessonCompleted, count_completions),
        on_batch(EntitlementGranted, partial(entitling.grant, time)),
        on_batch(EntitlementRevoked, partial(entitling.revoke, time)),
    ]


async def count_completions(tx: Transaction, events: Sequence[tuple[LessonCompleted, Meta]]) -> None:
    """Add a batch to the counts: one statement, however many learners finished at once."""
    await progress.count(tx, [event for event, _ in events])
