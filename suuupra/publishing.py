"""Rows of the outbox into Kafka: whole batches per partition, one acknowledgement each."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from suuupra import kafka
from suuupra.events import CONTENT_TYPE, schema_urn
from suuupra.outbox_queue import Waiting

TOPIC_LIMIT: Final = 2.0
"""Seconds to wait for the partitions of a topic that is not known yet."""
LATE_SECONDS: Final = 2.0
"""How long all topics wait for the acknowledgements of a slow one."""

TOPIC_FAULTS: Final = (
    UnknownTopicOrPartitionError,
    TopicAuthorizationFailedError,
    MessageSizeTooLargeError,
    KafkaTimeoutError,  # a batch that found no room behind one of its partition which nobody takes
)
"""Errors that concern one topic; the others can go on."""


@dataclass(slots=True)
class Published:
    """What became of some events."""

    acknowledged: list[Waiting] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    """Topic → why it takes nothing now."""
    error: KafkaError | None = None
    """An error of the producer as a whole; it must be replaced."""


class Publisher:
    """Sends events in the given order to the partition of their aggregate.

    The producer tries for ever to deliver what it was given. A partition without a leader must not hold up the other
    topics, so what takes long goes on in the background, and nothing more of its topic may be sent until it is done.
    """

    def __init__(self, producer: AIOKafkaProducer, source: str) -> None:
        self._producer = producer
        self._source = source.encode()
        self._published = Published()
        self._sending: dict[asyncio.Task[None], tuple[str, float]] = {}

    @property
    def late(self) -> frozenset[str]:
        """The topics that wait for an acknowledgement."""
        return frozenset(topic for topic, _ in self._sending.values())

    @property
    def late_since(self) -> float | None:
        """Since when the oldest of them has waited, on the monotonic clock."""
        return min((since for _, since in self._sending.values()), default=None)

    async def send(self, events: Sequence[Waiting]) -> None:
        """Send all, and wait LATE_SECONDS for the acknowledgements. None may be of a topic that is late."""
        groups = await self._grouped(events)
        now = time.monotonic()
        begun = {asyncio.create_task(self._send(*key, group)): (key[0], now) for key, group in groups.items()}
        self._sending |= begun
        if begun:
            await asyncio.wait(begun, timeout=LATE_SECONDS)

    def taken(self) -> Published:
        """What became of events since the last time this was asked, whenever they were sent."""
        for task in [task for task in self._sending if task.done()]:
            del self._sending[task]
            task.result()
        published, self._published = self._published, Published()
        return published

    async def abandon(self) -> None:
        """Wait for nothing any more: what is late is sent again by whoever comes next."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._sending.clear()

    async def _grouped(self, events: Sequence[Waiting]) -> dict[tuple[str, int], list[Waiting]]:
        """Events by topic and partition, as Kafka's own clients would place them by their key."""
        counts = {topic: await self._partitions(topic) for topic in {event.type for event in events}}
        groups: dict[tuple[str, int], list[Waiting]] = {}
        for event in events:
            if partitions := counts[event.type]:
                key = (event.type, kafka.partition_of(event.aggregate_id, partitions))
                groups.setdefault(key, []).append(event)
        return groups

    async def _partitions(self, topic: str) -> int:
        try:
            async with asyncio.timeout(TOPIC_LIMIT):
                return len(await self._producer.partitions_for(topic))
        except (TimeoutError, KafkaError):
            self._published.faults[topic] = f"the topic {topic} does not exist, or Kafka does not answer"
            return 0

    async def _send(self, topic: str, partition: int, events: Sequence[Waiting]) -> None:
        sent = []
        try:
            for batch, inside in self._batches(events):
                sent.append((await self._producer.send_batch(batch, topic, partition=partition), inside))
        except KafkaError as error:
            self._blame(topic, error)
        for acknowledgement, inside in sent:
            try:
                await acknowledgement
                self._published.acknowledged.extend(inside)
            except KafkaError as error:
                self._blame(topic, error)

    def _blame(self, topic: str, error: KafkaError) -> None:
        if isinstance(error, TOPIC_FAULTS):
            self._published.faults[topic] = f"{topic}: {error}"
        else:
            self._published.error = error

    def _batches(self, events: Iterable[Waiting]) -> Iterator[tuple[Any, list[Waiting]]]:
        batch = self._producer.create_batch()
        inside: list[Waiting] = []
        for event in events:
            message = self._message(event)
            if batch.append(**message) is None:
                yield batch, inside
                batch, inside = self._producer.create_batch(), []
                batch.append(**message)
            inside.append(event)
        yield batch, inside

    def _message(self, event: Waiting) -> dict[str, Any]:
        subject = event.aggregate_id.encode()
        headers = [
            *_fixed(event.type, event.version),
            ("ce_source", self._source),
            ("ce_id", event.id.encode()),
            ("ce_subject", subject),
            ("ce_sequence", b"%d" % event.sequence),
            ("ce_after", event.after.encode()),
            ("ce_time", event.occurred_at.isoformat().encode()),
        ]
        if event.traceparent is not None:
            headers.append(("traceparent", event.traceparent.encode()))
        return {"timestamp": None, "key": subject, "value": event.data.encode(), "headers": headers}


@lru_cache(maxsize=1024)
def _fixed(type_: str, version: int) -> tuple[tuple[str, bytes], ...]:
    """The headers that all events of a type's version share."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", type_.encode()),
        ("ce_dataschema", schema_urn(type_, version).encode()),
        ("content-type", CONTENT_TYPE.encode()),
    )
