"""What a service does with the events it consumes: at least once in, exactly once in effect.

services/NAME/consumers.py:

    def consumers(settings: Settings) -> Sequence[Subscription]:
        return [inbox.on(LessonCompleted, count_completion)]

    async def count_completion(tx: Transaction, event: LessonCompleted, meta: Meta) -> None: ...

The handler's effect goes through `tx`, and only through it: the event's id is recorded in the same transaction, so
an event that is delivered again has no second effect. Whatever a handler does elsewhere may happen twice.

- An event that comes before one it follows (ce_sequence, ce_after) is parked until that one has had its effect, or
  until it has been awaited for as long as its subscription says: then the gap counts as filled, and a late event is
  still handled when it comes. `awaited` belongs to the event that is missing, since the same one may be followed by
  many. Ten minutes (GAP) are for what others can do without: their handlers take any order, and a letter or a right
  should not be late because something older is. `awaited=NEEDED`, a week, is for what others are wrong or refused
  without, as a refund without its payment. It ends all the same, in a dead letter or an effect that a person sees, and
  is alerted long before (EventsWaitForAnother).
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
GAP: Final = timedelta(minutes=10)
"""How long an event that others can do without is awaited by them."""
NEEDED: Final = timedelta(days=7)
"""How long one is awaited whose followers are wrong or refused without it: a week for who is called by the alert."""
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
    awaited: timedelta = GAP
    """How long events that follow it wait for it."""


def on(
    event: type[E],
    handler: Callable[[Transaction, E, Meta], Awaitable[None]],
    *,
    patience: timedelta = PATIENCE,
    attempts: int = ATTEMPTS,
    awaited: timedelta = GAP,
) -> Subscription:
    """Handle each event by itself, as a child of the trace it came from."""

    async def handle(tx: Transaction, pairs: Pairs[E]) -> None:
        for received, meta in pairs:
            with telemetry.continued({"traceparent": meta.traceparent} if meta.traceparent else {}):
                await handler(tx, received, meta)

    return Subscription(event, handle, patience, attempts, awaited)


def on_batch(
    event: type[E],
    handler: Callable[[Transaction, Pairs[E]], Awaitable[None]],
    *,
    patience: timedelta = PATIENCE,
    attempts: int = ATTEMPTS,
    awaited: timedelta = GAP,
) -> Subscription:
    """Handle up to 500 events at once; those of one aggregate are in order."""
    return Subscription(event, handler, patience, attempts, awaited)
