"""Each way an event can enter the database, as one transaction."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from suuupra import inbox_store
from suuupra.clock import Clock
from suuupra.db import Database, Transaction
from suuupra.events import Message, Meta, Registry
from suuupra.inbox import Subscription
from suuupra.inbox_plan import Aggregate, Baseline, Delivery, Joined, Progress, advanced, filled, plan
from suuupra.inbox_store import Key, key_of

IN_FLIGHT: Final = timedelta(seconds=5)
"""How much later than an event one that it follows may reach Kafka: a relay sends both in one round."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    done: Sequence[Delivery]
    parked: Sequence[Delivery]
    duplicates: int

    @property
    def aggregates(self) -> set[Aggregate]:
        """Those that have advanced."""
        return {delivery.aggregate for delivery in self.done}


class Intake:
    """Takes events into one service's database."""

    def __init__(self, database: Database, subscriptions: Sequence[Subscription], clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._baseline = Baseline()
        # A batch that finds no connection free within a second is turned away; it may as well queue here.
        self._slots = asyncio.Semaphore(database.pool_size)
        self.registry = Registry(subscription.event for subscription in subscriptions)
        self.types = self.registry.types
        self._subscriptions = {subscription.event: subscription for subscription in subscriptions}
        if len(self._subscriptions) < len(subscriptions):
            raise ValueError("an event class has two subscriptions; let one handler do both things")
        self._awaited: dict[str, timedelta] = {}
        for one in subscriptions:  # two versions of one type are awaited as one event
            self._awaited[one.event.type] = max(one.awaited, self._awaited.get(one.event.type, one.awaited))

    def subscription(self, delivery: Delivery) -> Subscription:
        """What handles it."""
        return self._subscriptions[type(delivery.event)]

    async def take(self, deliveries: Sequence[Delivery]) -> Taken:
        """Handle what is new and due, park what is early, skip what is known."""
        async with self._transaction() as tx:
            fresh = await self._fresh(tx, deliveries)
            progress = await inbox_store.progress_of(tx, (delivery.aggregate for delivery in fresh))
            waiting = await self._waiting(tx, fresh)
            planned = plan(fresh, progress, self.types, self._baseline, waiting)
            await self._handle(tx, planned.due)
            await inbox_store.advance(tx, planned.progress)
            await inbox_store.park(tx, planned.early, self._clock.now())
        return Taken(planned.due, planned.early, len(deliveries) - len(fresh))

    async def take_parked(self, delivery: Delivery) -> bool:
        """Handle a parked event; False when another process has done so."""
        async with self._transaction() as tx:
            if not await inbox_store.unpark(tx, key_of(delivery), "done", self._clock.now()):
                return False
            progress = await self._progress(tx, delivery.aggregate)
            await self._handle(tx, [delivery])
            after = filled(progress, delivery.meta, self.types)
            await inbox_store.advance(tx, {delivery.aggregate: after})
        return True

    async def give_up(self, meta: Meta) -> None:
        """Record an event as dead, so that those behind it can go on."""
        key, aggregate = (meta.id, meta.source), (meta.source, meta.subject)
        async with self._transaction() as tx:
            if not await inbox_store.unpark(tx, key, "dead", self._clock.now()):
                await inbox_store.claim(tx, [key], self._clock.now(), "dead")
            progress = await self._progress(tx, aggregate)
            await inbox_store.advance(tx, {aggregate: advanced(progress, meta.type, meta.sequence)})

    async def give_up_unreadable(self, message: Message) -> set[Aggregate]:
        """Record parked events as dead whose headers this code cannot read; their aggregates can go on."""
        async with self._transaction() as tx:
            found = await inbox_store.unpark_unreadable(tx, message, self._clock.now())
            for aggregate, sequence in found.items():
                progress = await self._progress(tx, aggregate)
                await inbox_store.advance(tx, {aggregate: advanced(progress, message.topic, sequence)})
        return set(found)

    async def due(self, aggregates: Collection[Aggregate] | None = None) -> list[Message]:
        """Parked events that nothing stands before any more."""
        subjects = None if aggregates is None else {subject for _, subject in aggregates}
        async with self._database.reading() as tx:
            return await inbox_store.due(tx, self.types, subjects)

    async def overdue(self) -> list[Message]:
        """Parked events that have waited long enough for what is missing, or for what never comes."""
        now = self._clock.now()
        given_up = {topic: now - awaited for topic, awaited in self._awaited.items()}
        removed = {topic: time - IN_FLIGHT for topic, time in self._baseline.caught_up().items()}
        async with self._database.reading() as tx:
            return await inbox_store.overdue(tx, awaited_since=given_up, removed=removed)

    async def recall(self) -> None:
        """Read where the group began to read, which its other processes record too."""
        async with self._database.reading() as tx:
            self._baseline = await inbox_store.baseline(tx)

    async def join(self, joined: Joined) -> None:
        """Record where the group begins to read a partition."""
        async with self._transaction() as tx:
            await inbox_store.join(tx, joined)
        await self.recall()

    def joined(self, topic: str, partition: int) -> bool:
        """Whether that is recorded."""
        return self._baseline.knows(topic, partition)

    def awaits_the_end_of(self, topic: str) -> bool:
        """Whether somebody wants to know that all in the topic is settled."""
        return topic in self._baseline.trimmed

    async def caught_up(self, partitions: Collection[tuple[str, int]], at: datetime) -> None:
        """Record that everything that was in some partitions at that time is settled."""
        async with self._transaction() as tx:
            await inbox_store.caught_up(tx, partitions, at)

    async def parked(self) -> tuple[int, float]:
        """How many events are parked, and for how many seconds the first of them has been."""
        async with self._database.reading() as tx:
            count, since = await inbox_store.parked(tx)
        return count, 0.0 if since is None else max(0.0, (self._clock.now() - since).total_seconds())

    async def prune(self, keep: timedelta) -> int:
        """Forget events that had their effect longer ago than `keep`, in batches; how many there were."""
        before, forgotten, last = self._clock.now() - keep, 0, inbox_store.PRUNED_AT_ONCE
        while last == inbox_store.PRUNED_AT_ONCE:
            async with self._transaction() as tx:
                last = await inbox_store.prune(tx, before)
            forgotten += last
        return forgotten

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        async with self._slots, self._database.transaction() as tx:
            yield tx

    async def _fresh(self, tx: Transaction, deliveries: Sequence[Delivery]) -> list[Delivery]:
        first: dict[Key, Delivery] = {}
        for delivery in deliveries:
            first.setdefault(key_of(delivery), delivery)
        claimed = await inbox_store.claim(tx, first, self._clock.now())
        return [delivery for key, delivery in first.items() if key in claimed]

    async def _waiting(self, tx: Transaction, fresh: Sequence[Delivery]) -> set[Aggregate]:
        """Asked only where it matters: of a topic that had been trimmed."""
        asked = {delivery.aggregate for delivery in fresh if delivery.meta.type in self._baseline.trimmed}
        return await inbox_store.waiting(tx, asked) if asked else set()

    async def _progress(self, tx: Transaction, aggregate: Aggregate) -> Progress:
        return (await inbox_store.progress_of(tx, [aggregate])).get(aggregate, {})

    async def _handle(self, tx: Transaction, due: Sequence[Delivery]) -> None:
        for event_class, run in groupby(due, key=lambda delivery: type(delivery.event)):
            pairs = [(delivery.event, delivery.meta) for delivery in run]
            await self._subscriptions[event_class].handle(tx, pairs)
