"""What a service does with the events it consumes: at least once in, exactly once in effect.

services/NAME/consumers.py:

    def consumers(settings: Settings) -> Sequence[Subscription]:
        return [inbox.on(LessonCompleted, count_completion)]

    async def count_completion(tx: Transaction, event: LessonCompleted, meta: Meta) -> None: ...

The handler's effect goes through `tx`, and only through it: the event's id is recorded in the same transaction, so
an event that is delivered again has no second effect. Whatever a handler does elsewhere may happen twice.

- An event that comes before one it follows (ce_sequence, ce_after) is parked until that one has had its effect, or
  until the gap has lasted longer than the consumer's patience: then it counts as filled, and a late event is still
  handled when it comes.
- While something that the handler needs is away (PostgreSQL, Kafka, the object store, Valkey, a mail server, another
  service: see suuupra.patience), the event is tried again with growing pauses and without a limit. Only its partition
  waits; an outage never makes dead letters.
- `Retry`, a statement that PostgreSQL ended and another service's 500 are tried again for `patience` (15 minutes).
- `Reject` at once, and any other error after `attempts` (three), makes the event a dead letter in `<topic>.dlt`;
  the events behind it go on. `python -m suuupra redrive` puts dead letters back.
- An event of a version that this code does not know is a dead letter too: deploy the consumer, then redrive.

Batches: events of one partition that wait together share one transaction (`on` calls the handler one by one inside,
`on_batch` hands over all). A batch that fails is rolled back and its halves are tried, down to the event that is to
blame.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from suuupra import telemetry
from suuupra.db import Transaction
from suuupra.events import Event, Meta

PATIENCE: Final = timedelta(minutes=15)
"""How long an event is tried whose errors may pass."""
ATTEMPTS: Final = 3
"""How often an event is tried whose errors look like its own fault."""

E = TypeVar("E", bound=Event)

Pairs = Sequence[tuple[E, Meta]]


class Retry(Exception):
    """The event cannot be handled now; later it may."""


class Reject(Exception):
    """The event can never be handled: make it a dead letter. The text becomes its cause."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A type and version of events, with what is done with them."""

    event: type[Event]
    handle: Callable[[Transaction, Pairs[Any]], Awaitable[None]]
    patience: timedelta = PATIENCE
    attempts: int = ATTEMPTS


def on(
    event: type[E],
    handler: Callable[[Transaction, E, Meta], Awaitable[None]],
    *,
    patience: timedelta = PATIENCE,
    attempts: int = ATTEMPTS,
) -> Subscription:
    """Handle each event by itself, as a child of the trace it came from."""

    async def handle(tx: Transaction, pairs: Pairs[E]) -> None:
        for received, meta in pairs:
            with telemetry.continued({"traceparent": meta.traceparent} if meta.traceparent else {}):
                await handler(tx, received, meta)

    return Subscription(event, handle, patience, attempts)


def on_batch(
    event: type[E],
    handler: Callable[[Transaction, Pairs[E]], Awaitable[None]],
    *,
    patience: timedelta = PATIENCE,
    attempts: int = ATTEMPTS,
) -> Subscription:
    """Handle up to 500 events at once; those of one aggregate are in order."""
    return Subscription(event, handler, patience, attempts)
