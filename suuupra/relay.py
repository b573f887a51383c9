"""The relay: takes events out of the outbox, into Kafka, in order per aggregate, at least once.

It reads the oldest events of its shards, sends them, waits for the acknowledgement of all replicas and only then
marks them. Killed in between, it sends them again; consumers count each event once. Several relays share the shards
and rebalance within BALANCE_SECONDS; a NOTIFY wakes them, a poll of the same period is the safety net. While Kafka
is away events wait in the outbox and the relay tries again with backoff. A topic that takes nothing (it is not there,
a partition has no leader) holds up only its own events.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, Self

import psycopg
import stamina
from aiokafka.errors import KafkaError
from prometheus_client import Counter as Counting
from prometheus_client import Gauge, Histogram
from pydantic import SecretStr

from suuupra import failpoints, kafka, logs
from suuupra.events import source_of
from suuupra.halting import Haltable
from suuupra.outbox_queue import PRUNED_AT_ONCE, Queue, Waiting, opened
from suuupra.publishing import Published, Publisher

BATCH: Final = 2_000
"""Most events of one round."""
BALANCE_SECONDS: Final = 2.0
PRUNE_SECONDS: Final = 60.0
HELD_SECONDS: Final = 5.0
"""How long a topic that takes nothing is left alone."""
SLOW_SECONDS: Final = 10.0
"""Without an acknowledgement for so long, Kafka counts as away."""
GRACE_SECONDS: Final = 10.0
RETENTION: Final = timedelta(days=7)
"""How long published events stay in the outbox, for people who ask what was sent."""

_TRANSIENT: Final = (psycopg.Error, KafkaError, OSError)

_log = logs.get_logger(__name__)
_published = Counting("suuupra_outbox_published_total", "Events acknowledged by Kafka.", ["type"])
_latency = Histogram(
    "suuupra_outbox_publish_seconds",
    "From an event's append to its acknowledgement by Kafka.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300),
)
_lag_events = Gauge("suuupra_outbox_lag_events", "Events that wait in this relay's shards.")
_lag_seconds = Gauge(
    "suuupra_outbox_lag_seconds", "Age of the oldest event that waits in this relay's shards."
)
_shards = Gauge("suuupra_outbox_shards", "Shards of the outbox that this relay has leased.")


class RelaySettings(kafka.BusOfService, Protocol):
    """What is read of a service's settings."""

    @property
    def database_url(self) -> SecretStr: ...


class Relay:
    """Publishes one service's outbox until it is stopped."""

    name = "relay"

    def __init__(self, settings: RelaySettings, *, retention: timedelta = RETENTION) -> None:
        self._settings = settings
        self._retention = retention
        self._halt = Haltable(grace=GRACE_SECONDS)
        self._trouble: str | None = "not connected yet"
        self._publisher: Publisher | None = None
        self._held: dict[str, float] = {}
        self._next_balance = 0.0
        self._next_prune = 0.0

    @classmethod
    def of(cls, settings: RelaySettings) -> Self:
        """The relay of a service."""
        return cls(settings)

    async def run(self) -> None:
        """Publish until stop()."""
        await self._halt.run(self._reconnecting())

    async def stop(self) -> None:
        """Finish the round in hand, for at most GRACE_SECONDS."""
        self._halt.halt()

    def health(self) -> str | None:
        """None, or why events are not being published."""
        publisher = self._publisher
        since = publisher.late_since if publisher is not None else None
        waited = 0.0 if since is None else time.monotonic() - since
        if publisher is not None and waited > SLOW_SECONDS:
            topics = ", ".join(sorted(publisher.late))
            return f"Kafka has not acknowledged {topics} for {waited:.0f} s; events wait in the outbox"
        return self._trouble or next((f"the topic {topic} takes no events" for topic in self._held), None)

    async def _reconnecting(self) -> None:
        while True:
            async for attempt in stamina.retry_context(self._passes, attempts=None, timeout=None):
                with attempt:
                    await self._connected()

    def _passes(self, error: Exception) -> bool:
        """Whether time will mend it: whatever PostgreSQL and Kafka say does, even a role that is not there yet."""
        if not isinstance(error, _TRANSIENT):
            return False
        self._trouble = f"{type(error).__name__}: {error}".strip()
        _log.warning("relay interrupted", error=self._trouble)
        return True

    async def _connected(self) -> None:
        """Publish until a connection is lost. Raises when it never worked, which makes the backoff grow."""
        url = self._settings.database_url.get_secret_value()
        async with (
            opened(url, f"{self._settings.name}-relay") as queue,
            kafka.producer(self._settings, "relay") as producer,
        ):
            publisher = self._publisher = Publisher(producer, source_of(self._settings.name))
            self._next_balance, worked = 0.0, False
            try:
                while True:
                    worked = await self._round(queue, publisher) or worked
                    self._trouble = None
            except _TRANSIENT as error:
                if not worked or not self._passes(error):
                    raise
            finally:
                self._publisher = None
                await publisher.abandon()

    async def _round(self, queue: Queue, publisher: Publisher) -> bool:
        """Publish what waits, or wait for it; whether anything was achieved."""
        await self._maintain(queue)
        waiting = await queue.fetch(BATCH, without={*self._held, *publisher.late})
        if waiting:
            failpoints.hit("relay.fetched")
        else:
            await queue.wait(max(0.0, self._next_balance - time.monotonic()))
        with self._halt.busy():
            await publisher.send(waiting)
            return await self._record(queue, publisher.taken()) or not waiting

    async def _record(self, queue: Queue, published: Published) -> bool:
        """Mark what is in Kafka; whether there was something."""
        if published.acknowledged:
            failpoints.hit("relay.sent")
            await queue.mark(event.position for event in published.acknowledged)
            _observe(published.acknowledged)
        self._hold(published.faults)
        if published.error is not None:
            raise published.error
        return bool(published.acknowledged)

    def _hold(self, faults: Mapping[str, str]) -> None:
        for topic, why in faults.items():
            _log.error("events of a topic wait", topic=topic, error=why)
            self._held[topic] = time.monotonic() + HELD_SECONDS

    async def _maintain(self, queue: Queue) -> None:
        """What is due from time to time: a fair share of shards, held topics, the lag, old rows."""
        now = time.monotonic()
        self._held = {topic: until for topic, until in self._held.items() if until > now}
        if now < self._next_balance:
            return
        self._next_balance = now + BALANCE_SECONDS
        await queue.balance()
        _shards.set(len(queue.shards))
        events, seconds = await queue.lag()
        _lag_events.set(events)
        _lag_seconds.set(seconds)
        if now >= self._next_prune and 0 in queue.shards:
            # A full batch at a time, so that publishing goes on in between: some thousands a second, if it must be.
            full = await queue.prune(self._retention) >= PRUNED_AT_ONCE
            self._next_prune = now if full else now + PRUNE_SECONDS


def _observe(done: Sequence[Waiting]) -> None:
    now = datetime.now(UTC)
    for type_, count in Counter(event.type for event in done).items():
        _published.labels(type_).inc(count)
    for event in done:
        _latency.observe((now - event.occurred_at).total_seconds())
