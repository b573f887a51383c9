"""Seeing messages through: handled, parked or buried, whatever it takes; only then is the offset theirs no more."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial

from prometheus_client import Counter as Counting
from prometheus_client import Histogram

from suuupra import events, failpoints, logs
from suuupra.clock import Clock
from suuupra.db import DatabaseUnavailable
from suuupra.dead_letters import Cemetery
from suuupra.events import MalformedMessage, Message
from suuupra.inbox_plan import Aggregate, Delivery
from suuupra.intake import Intake
from suuupra.patience import OnlyWhileAway, Patience

Busy = Callable[[], AbstractContextManager[None]]

_log = logs.get_logger(__name__)
_outcomes = Counting("suuupra_inbox_events_total", "Consumed events.", ["topic", "outcome"])
_delay = Histogram(
    "suuupra_inbox_delay_seconds",
    "From an event's time to its effect here.",
    ["topic"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 3600),
)


class Settler:
    """Settles messages of one consumer."""

    def __init__(self, intake: Intake, cemetery: Cemetery, clock: Clock, busy: Busy = nullcontext) -> None:
        self._intake = intake
        self._cemetery = cemetery
        self._clock = clock
        self._busy = busy

    async def settle(self, messages: Sequence[Message]) -> None:
        """Settle messages of one partition, in order."""
        readable: list[Delivery] = []
        for message in messages:
            try:
                readable.append(self._read(message))
            except MalformedMessage as error:
                await self._settle_readable(readable)
                readable = []
                await self._bury(message, error, attempts=1)
        await self._settle_readable(readable)

    async def release(self, aggregates: set[Aggregate] | None = None) -> None:
        """Handle what was parked and is due now, of some aggregates or of all."""
        while parked := await self._intake.due(aggregates):
            for message in parked:
                await self.settle_parked(message)

    async def settle_parked(self, message: Message) -> None:
        """Handle one parked message now."""
        try:
            delivery = self._read(message)
        except MalformedMessage as error:  # it could be read when it was parked: the code is another now
            await self._bury(message, error, attempts=1)
        else:
            await self._settle_one(delivery, self._take_parked)

    def _read(self, message: Message) -> Delivery:
        meta = events.parse(message)
        return Delivery(meta, self._intake.registry.read(meta, message.value), message)

    async def _settle_readable(self, deliveries: Sequence[Delivery]) -> None:
        """All in one transaction. When one of them spoils it, in halves: the spoiler is alone after few attempts."""
        if len(deliveries) == 1:
            await self._settle_one(deliveries[0], self._take_one)
        elif deliveries and not await self._settle_together(deliveries):
            middle = len(deliveries) // 2
            await self._settle_readable(deliveries[:middle])
            await self._settle_readable(deliveries[middle:])

    async def _settle_together(self, deliveries: Sequence[Delivery]) -> bool:
        try:
            await self._tried(lambda: self._take(deliveries), OnlyWhileAway(self._clock))
        except Exception as error:  # noqa: BLE001 - handlers raise what they like; the halves will tell which did
            _log.info("batch split", events=len(deliveries), error=type(error).__name__)
            return False
        return True

    async def _settle_one(self, delivery: Delivery, take: Callable[[Delivery], Awaitable[None]]) -> None:
        policy = self._intake.subscription(delivery)
        patience = Patience(self._clock, policy.patience, policy.attempts)
        try:
            await self._tried(lambda: take(_numbered(delivery, patience.failures + 1)), patience)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises must not stop the events behind it
            await self._bury(delivery.message, error, attempts=patience.failures)

    async def _tried(self, work: Callable[[], Awaitable[None]], patience: Patience) -> None:
        """Do `work` until it is done, or raises what is not worth another attempt."""
        while True:
            try:
                with self._busy():
                    return await work()
            except Exception as error:
                pause = patience.pause(error)
                if pause is None:
                    raise
                _log.info(
                    "tried again", error=type(error).__name__, failures=patience.failures, pause_seconds=pause
                )
            await self._clock.sleep(pause)

    async def _take_one(self, delivery: Delivery) -> None:
        await self._take([delivery])

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        taken = await self._intake.take(deliveries)
        failpoints.hit("consumer.handled")
        topic = deliveries[0].meta.topic
        _outcomes.labels(topic, "duplicate").inc(taken.duplicates)
        _outcomes.labels(topic, "parked").inc(len(taken.parked))
        self._observe(taken.done)
        await self._release_behind(taken.aggregates)

    async def _release_behind(self, aggregates: set[Aggregate]) -> None:
        """What an effect has made due. When it does not work now the consumer's sweep does it later."""
        try:
            await self.release(aggregates)
        except DatabaseUnavailable as error:
            _log.info("release postponed", error=error.detail)

    async def _take_parked(self, delivery: Delivery) -> None:
        if await self._intake.take_parked(delivery):
            self._observe([delivery])

    def _observe(self, done: Sequence[Delivery]) -> None:
        now = self._clock.now()
        for topic, count in Counter(delivery.meta.topic for delivery in done).items():
            _outcomes.labels(topic, "done").inc(count)
        for delivery in done:
            _delay_of(delivery.meta.topic).observe((now - delivery.meta.time).total_seconds())

    async def _bury(self, message: Message, error: Exception, attempts: int) -> None:
        """Into the dead letters, then on; never gives up, because an event must not be lost between the two."""
        _log.error(
            "dead letter",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            attempts=attempts,
            exc_info=error,
        )
        await self._tried(partial(self._bury_once, message, error, attempts), OnlyWhileAway(self._clock))
        _outcomes.labels(message.topic, "dead").inc()

    async def _bury_once(self, message: Message, error: Exception, attempts: int) -> None:
        await self._cemetery.bury(message, error, attempts)
        await self._give_up(message)

    async def _give_up(self, message: Message) -> None:
        try:
            meta = events.parse(message)
        except MalformedMessage:  # without an id there is nothing to record, unless it was parked under one
            behind = await self._intake.give_up_unreadable(message)
        else:
            await self._intake.give_up(meta)
            behind = {(meta.source, meta.subject)}
        await self._release_behind(behind)


def _numbered(delivery: Delivery, attempt: int) -> Delivery:
    return replace(delivery, meta=replace(delivery.meta, attempt=attempt))


@lru_cache
def _delay_of(topic: str) -> Histogram:
    return _delay.labels(topic)
