"""Each way an event can enter the database, as one transaction."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from suuupra import inbox_store
from suuupra.db import Database, Transaction
from suuupra.events import Message, Meta, Registry
from suuupra.inbox import Subscription
from suuupra.inbox_plan import Aggregate, Delivery, Progress, advanced, plan
from suuupra.inbox_store import Key, key_of


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

    def __init__(self, database: Database, subscriptions: Sequence[Subscription]) -> None:
        self._database = database
        # A batch that finds no connection free would count as «PostgreSQL is away»; it may as well queue here.
        self._slots = asyncio.Semaphore(database.pool_size)
        self.registry = Registry(subscription.event for subscription in subscriptions)
        self.types = self.registry.types
        self._subscriptions = {subscription.event: subscription for subscription in subscriptions}
        if len(self._subscriptions) < len(subscriptions):
            raise ValueError("an event class has two subscriptions; let one handler do both things")

    async def take(self, deliveries: Sequence[Delivery]) -> Taken:
        """Handle what is new and due, park what is early, skip what is known."""
        async with self._transaction() as tx:
            fresh = await self._fresh(tx, deliveries)
            progress = await inbox_store.progress_of(tx, (delivery.aggregate for delivery in fresh))
            planned = plan(fresh, progress, self.types)
            await self._handle(tx, planned.due)
            await inbox_store.advance(tx, planned.progress)
            await inbox_store.park(tx, planned.early)
        return Taken(planned.due, planned.early, len(deliveries) - len(fresh))

    async def take_parked(self, delivery: Delivery) -> bool:
        """Handle a parked event; False when another process has done so."""
        async with self._transaction() as tx:
            if not await inbox_store.unpark(tx, key_of(delivery), "done"):
                return False
            progress = await self._progress(tx, delivery.aggregate)
            await self._handle(tx, [delivery])
            await inbox_store.advance(tx, {delivery.aggregate: advanced(progress, delivery.meta)})
        return True

    async def give_up(self, meta: Meta) -> None:
        """Record an event as dead, so that those behind it can go on."""
        key, aggregate = (meta.id, meta.source), (meta.source, meta.subject)
        async with self._transaction() as tx:
            if not await inbox_store.unpark(tx, key, "dead"):
                await inbox_store.claim(tx, [key], "dead")
            progress = await self._progress(tx, aggregate)
            await inbox_store.advance(tx, {aggregate: advanced(progress, meta)})

    async def due(self, aggregates: Collection[Aggregate] | None = None) -> list[Message]:
        """Parked events that nothing stands before any more."""
        subjects = None if aggregates is None else {subject for _, subject in aggregates}
        async with self._database.reading() as tx:
            return await inbox_store.due(tx, self.types, subjects)

    async def overdue(self, patience: timedelta) -> list[Message]:
        """Parked events that have waited long enough for what is missing."""
        async with self._database.reading() as tx:
            return await inbox_store.overdue(tx, patience)

    async def parked_count(self) -> int:
        """How many events are parked."""
        async with self._database.reading() as tx:
            return await inbox_store.parked_count(tx)

    async def prune(self, keep: timedelta) -> None:
        """Forget events that had their effect longer ago than `keep`."""
        async with self._transaction() as tx:
            await inbox_store.prune(tx, keep)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        async with self._slots, self._database.transaction() as tx:
            yield tx

    async def _fresh(self, tx: Transaction, deliveries: Sequence[Delivery]) -> list[Delivery]:
        first: dict[Key, Delivery] = {}
        for delivery in deliveries:
            first.setdefault(key_of(delivery), delivery)
        claimed = await inbox_store.claim(tx, first)
        return [delivery for key, delivery in first.items() if key in claimed]

    async def _progress(self, tx: Transaction, aggregate: Aggregate) -> Progress:
        return (await inbox_store.progress_of(tx, [aggregate])).get(aggregate, {})

    async def _handle(self, tx: Transaction, due: Sequence[Delivery]) -> None:
        for event_class, run in groupby(due, key=lambda delivery: type(delivery.event)):
            pairs = [(delivery.event, delivery.meta) for delivery in run]
            await self._subscriptions[event_class].handle(tx, pairs)
