"""Rows of the outbox into Kafka: whole batches per partition, one acknowledgement each."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from suuupra import kafka
from suuupra.events import CONTENT_TYPE, schema_urn
from suuupra.outbox_queue import Waiting

TOPIC_LIMIT: Final = 2.0
"""Seconds to wait for the partitions of a topic that is not known yet."""

TOPIC_FAULTS: Final = (UnknownTopicOrPartitionError, TopicAuthorizationFailedError, MessageSizeTooLargeError)
"""Errors that concern one topic; the others can go on."""


@dataclass(slots=True)
class Published:
    """What became of some events."""

    acknowledged: list[int] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    """Topic → why it takes nothing now."""
    error: KafkaError | None = None
    """An error of the producer as a whole; it must be replaced."""


class Publisher:
    """Sends events in the given order to the partition of their aggregate."""

    def __init__(self, producer: AIOKafkaProducer, source: str) -> None:
        self._producer = producer
        self._source = source.encode()

    async def publish(self, events: Sequence[Waiting]) -> Published:
        """Send all and wait for the acknowledgements, however long Kafka takes."""
        published = Published()
        groups = await self._grouped(events, published)
        await asyncio.gather(*(self._send(*key, group, published) for key, group in groups.items()))
        return published

    async def _grouped(
        self, events: Sequence[Waiting], published: Published
    ) -> dict[tuple[str, int], list[Waiting]]:
        """Events by topic and partition, as Kafka's own clients would place them by their key."""
        counts = {
            topic: await self._partitions(topic, published) for topic in {event.type for event in events}
        }
        groups: dict[tuple[str, int], list[Waiting]] = {}
        for event in events:
            if partitions := counts[event.type]:
                key = (event.type, kafka.partition_of(event.aggregate_id, partitions))
                groups.setdefault(key, []).append(event)
        return groups

    async def _partitions(self, topic: str, published: Published) -> int:
        try:
            async with asyncio.timeout(TOPIC_LIMIT):
                return len(await self._producer.partitions_for(topic))
        except (TimeoutError, KafkaError):
            published.faults[topic] = f"the topic {topic} does not exist, or Kafka does not answer"
            return 0

    async def _send(
        self, topic: str, partition: int, events: Sequence[Waiting], published: Published
    ) -> None:
        sent = []
        try:
            for batch, positions in self._batches(events):
                sent.append((await self._producer.send_batch(batch, topic, partition=partition), positions))
        except KafkaError as error:
            _blame(topic, error, published)
        for acknowledgement, positions in sent:
            try:
                await acknowledgement
                published.acknowledged.extend(positions)
            except KafkaError as error:
                _blame(topic, error, published)

    def _batches(self, events: Iterable[Waiting]) -> Iterator[tuple[Any, list[int]]]:
        batch = self._producer.create_batch()
        positions: list[int] = []
        for event in events:
            message = self._message(event)
            if batch.append(**message) is None:
                yield batch, positions
                batch, positions = self._producer.create_batch(), []
                batch.append(**message)
            positions.append(event.position)
        yield batch, positions

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


def _blame(topic: str, error: KafkaError, published: Published) -> None:
    if isinstance(error, TOPIC_FAULTS):
        published.faults[topic] = f"{topic}: {error}"
    else:
        published.error = error
