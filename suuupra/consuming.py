"""The consumer process: one task per partition, so that a partition which waits does not hold up the others."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Any, Final

import stamina
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from suuupra import events, kafka, logs, retention
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database, DatabaseUnavailable, StatementEnded
from suuupra.dead_letters import Cemetery
from suuupra.events import Message
from suuupra.halting import Haltable
from suuupra.inbox import Subscription
from suuupra.inbox_plan import Joined
from suuupra.intake import Intake
from suuupra.patience import is_away
from suuupra.rounds import when_free
from suuupra.settling import Busy, Settler

BATCH: Final = 500
"""Most events of one transaction."""
POLL_MS: Final = 1_000
COMMIT_SECONDS: Final = 0.5
"""How often offsets are committed. What is delivered again because of it has no second effect."""
COMMIT_LIMIT: Final = 5.0
SWEEP_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 10.0
"""How long a batch may still take when its partition is revoked or the process stops."""
PRUNE_SECONDS: Final = 60.0

_log = logs.get_logger(__name__)
_lag = Gauge("suuupra_inbox_lag_events", "Events not yet settled.", ["topic", "partition"])
_parked = Gauge("suuupra_inbox_parked", "Events that wait for one they follow.")
_parked_seconds = Gauge("suuupra_inbox_parked_seconds", "How long the first of them has waited.")


class Consumer:
    """Consumes the topics of a service's subscriptions until it is stopped. The group is the resource's name."""

    name = "consumer"

    def __init__(
        self,
        database: Database,
        settings: kafka.BusOfService,
        subscriptions: Sequence[Subscription],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock or SystemClock()
        self._intake = Intake(database, subscriptions, self._clock)
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._trouble: str | None = "not connected yet"

    async def run(self) -> None:
        """Consume until stop()."""
        await self._halt.run(self._reconnecting())

    async def stop(self) -> None:
        """Finish the batches in hand, for at most GRACE_SECONDS, and commit what is done."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why nothing is being consumed."""
        return self._trouble

    async def _reconnecting(self) -> None:
        while True:
            async for attempt in stamina.retry_context(self._passes, attempts=None, timeout=None):
                with attempt:
                    await self._connected()

    def _passes(self, error: Exception) -> bool:
        """Whether time will mend it."""
        if not is_away(error) and not isinstance(error, StatementEnded):
            return False
        self._trouble = f"{type(error).__name__}: {error}".strip()
        _log.warning("consumer interrupted", error=self._trouble)
        return True

    async def _connected(self) -> None:
        await self._database.check()  # a schema that is behind this code would fail each event that is read
        session = _Session(self._settings, self._intake, self._clock)
        try:
            await session.start()
            self._trouble = None
            await session.failed
        finally:
            await session.stop()


class _Session(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """One membership of the group, from joining it to leaving it."""

    def __init__(self, settings: kafka.BusOfService, intake: Intake, clock: Clock) -> None:
        self._settings = settings
        self._intake = intake
        self._clock = clock
        self._cemetery = Cemetery(settings, clock)
        self._client = kafka.consumer(settings, "consumer", group=settings.name)
        self._client.subscribe(topics=sorted(intake.types), listener=self)
        self._workers: dict[TopicPartition, _Worker] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._chores: set[asyncio.Task[None]] = set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Join the group. Raises KafkaError when no broker answers."""
        await when_free(self._intake.recall)
        await self._client.start()
        chores = (self._commit_regularly, self._sweep_regularly, self._prune_regularly)
        self._chores = {self._watched(chore()) for chore in chores}

    async def stop(self) -> None:
        """Let the workers finish, commit what they did and leave the group."""
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self.on_partitions_revoked(set(self._workers))
        await self._client.stop()
        await self._cemetery.close()
        self.failed.cancel()

    async def on_partitions_assigned(self, assigned: Set[TopicPartition]) -> None:
        """Start a worker for each partition."""
        for partition in assigned:
            settler = partial(Settler, self._intake, self._cemetery, self._clock)
            worker = self._workers[partition] = _Worker(
                self._client, partition, settler, self._intake, self._clock
            )
            worker.task = self._watched(worker.run())

    async def on_partitions_revoked(self, revoked: Set[TopicPartition]) -> None:
        """Let their workers finish the batch in hand; commit before another member starts."""
        workers = [self._workers[partition] for partition in revoked if partition in self._workers]
        await asyncio.gather(*(worker.stop() for worker in workers))
        await self._commit()
        for partition in revoked & self._workers.keys():
            del self._workers[partition]
            self._committed.pop(partition, None)
            _lag.labels(partition.topic, partition.partition).set(0)  # whoever has it now counts it

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task whose failure ends the session."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(error)

    async def _commit_regularly(self) -> None:
        while True:
            await self._clock.sleep(COMMIT_SECONDS)
            await self._commit()
            for partition, worker in self._workers.items():
                _lag.labels(partition.topic, partition.partition).set(worker.lag())

    async def _commit(self) -> None:
        offsets = {partition: worker.next_offset for partition, worker in self._workers.items()}
        changed = {
            partition: offset
            for partition, offset in offsets.items()
            if offset is not None and offset != self._committed.get(partition)
        }
        if not changed:
            return
        try:
            async with asyncio.timeout(COMMIT_LIMIT):
                await self._client.commit(changed)
        except (KafkaError, TimeoutError) as error:
            # Nothing is lost by it: what is delivered again is known to the inbox.
            _log.info("offsets not committed", error=type(error).__name__)
        else:
            self._committed.update(changed)

    async def _sweep_regularly(self) -> None:
        """What no delivery triggers: events released by a process that died, and gaps that lasted too long."""
        settler = Settler(self._intake, self._cemetery, self._clock)
        while True:
            try:
                await self._sweep(settler)
            except (DatabaseUnavailable, KafkaError) as error:
                _log.info("sweep postponed", error=str(error))
            await self._clock.sleep(SWEEP_SECONDS)

    async def _sweep(self, settler: Settler) -> None:
        await self._note_what_is_caught_up()
        await settler.release()
        while overdue := await self._intake.overdue():
            for message in overdue:
                _log.warning(
                    "gap given up", topic=message.topic, partition=message.partition, offset=message.offset
                )
                await settler.settle_parked(message)
            await settler.release()
        count, seconds = await self._intake.parked()
        _parked.set(count)
        _parked_seconds.set(seconds)

    async def _note_what_is_caught_up(self) -> None:
        """For those who wait for what a trimmed topic may still hold."""
        await self._intake.recall()
        asked = [one for one in self._workers if self._intake.awaits_the_end_of(one.topic)]
        if not asked:
            return
        at, ends = self._clock.now(), await self._client.end_offsets(asked)
        done = [
            (one.topic, one.partition)
            for one in asked
            if one in self._workers and self._workers[one].has_settled(ends[one])
        ]
        await self._intake.caught_up(done, at)

    async def _prune_regularly(self) -> None:
        while True:
            try:
                keep = await retention.memory_for(self._settings, self._intake.types)
                if keep is not None:
                    await self._intake.prune(keep)
            except (DatabaseUnavailable, KafkaError) as error:
                _log.info("pruning postponed", error=str(error))
            await self._clock.sleep(PRUNE_SECONDS)


class _Worker:
    """Settles the messages of one partition, in order."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        partition: TopicPartition,
        settler: Callable[[Busy], Settler],
        intake: Intake,
        clock: Clock,
    ) -> None:
        self._client = client
        self._partition = partition
        self._intake = intake
        self._clock = clock
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._settler = settler(self._halt.busy)
        self.next_offset: int | None = None
        """Everything before it is settled; None until something was delivered."""
        self._begun_at: int | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Settle what comes until stop()."""
        await self._halt.run(self._forever())

    async def stop(self) -> None:
        """Stop after the batch in hand."""
        self._halt.halt()
        if self.task is not None:
            await asyncio.wait({self.task})

    def lag(self) -> int:
        """How many messages of the partition are not settled."""
        highwater = self._client.highwater(self._partition)
        return max(0, highwater - self.next_offset) if highwater and self.next_offset is not None else 0

    def has_settled(self, end: int) -> bool:
        """Whether everything before the offset `end` is settled."""
        settled = self._begun_at if self.next_offset is None else self.next_offset
        return settled is not None and settled >= end

    async def _forever(self) -> None:
        first_time = await self._begin()
        while True:
            found = await self._client.getmany(self._partition, timeout_ms=POLL_MS, max_records=BATCH)
            if records := found.get(self._partition):
                messages = [_message(record) for record in records]
                if self.next_offset is None:
                    self.next_offset = records[0].offset
                    if first_time:
                        await self._join(self.next_offset, _time_of(messages[0]))
                await self._settler.settle(messages)
                self.next_offset = records[-1].offset + 1

    async def _begin(self) -> bool:
        """Find out where reading begins; whether the group has never read the partition, and something is there."""
        committed = await self._client.committed(self._partition)
        self._begun_at = await self._client.position(self._partition)
        known = self._intake.joined(self._partition.topic, self._partition.partition)
        if committed is not None or known:
            return False
        ends = await self._client.end_offsets([self._partition])
        if ends[self._partition] > self._begun_at:
            return True
        await self._join(self._begun_at, self._clock.now())
        return False

    async def _join(self, offset: int, time: datetime | None) -> None:
        topic, partition = self._partition
        count = len(self._client.partitions_for_topic(topic) or {partition})
        # From the beginning of a topic everything comes: there is no time before which nothing does.
        joined = Joined(topic, partition, count, offset, time if offset else None)
        # A full pool must not end the membership: to leave the group moves the partitions of all.
        await when_free(lambda: self._intake.join(joined))


def _time_of(message: Message) -> datetime | None:
    try:
        return events.parse(message).time
    except events.MalformedMessage:
        return None


def _message(record: ConsumerRecord) -> Message:
    return Message(record.topic, record.partition, record.offset, record.key, record.value, record.headers)
