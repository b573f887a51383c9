"""Dead letters back to where they came from: `python -m suuupra redrive lesson.completed --service certificates`.

Only the letters that this consumer group gave up are put back, with the headers they had at first. Other groups of
the topic see the event again and know it already; the group itself remembers it as dead and tries anew. Where the
run got to is kept in Kafka, so running twice puts nothing back twice; a run that is killed may repeat its last
batch, which the inbox does not mind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from suuupra import kafka
from suuupra.dead_letters import TRUNCATED, original, reason

BATCH: Final = 500
POLL_MS: Final = 10_000


class NoDeadLetters(LookupError):
    """There is no such topic of dead letters; the text says what to check."""


@dataclass(slots=True)
class Redriven:
    """What a run did: letters looked at, put back, and left: another group's, or too large to be kept whole."""

    found: int = 0
    sent: int = 0
    skipped: int = 0


async def redrive(
    settings: kafka.BusOfService,
    topic: str,
    *,
    service: str,
    limit: int | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Redriven:
    """Put back what the group `service` gave up of `topic`; `progress(looked_at, in_all)` is called as it goes.

    Raises NoDeadLetters for an unknown topic and KafkaError when no broker answers.
    """
    reader = kafka.consumer(settings, "redrive", group=f"{service}.redrive")
    await reader.start()
    try:
        async with kafka.producer(settings, "redrive") as producer:
            run = _Run(reader, producer, service, limit, dry_run)
            await run.over(kafka.dead_letter_topic(topic), progress)
            return run.done
    finally:
        await reader.stop()


class _Run:
    def __init__(
        self,
        reader: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        service: str,
        limit: int | None,
        dry_run: bool,
    ) -> None:
        self._reader = reader
        self._producer = producer
        self._service = service
        self._limit = limit
        self._dry_run = dry_run
        self.done = Redriven()

    async def over(self, topic: str, progress: Callable[[int, int], None] | None) -> None:
        """Everything in the topic that no earlier run has put back, up to its present end."""
        ends = await self._assign(topic)
        starts = [await self._reader.position(partition) for partition in ends]
        total = sum(ends.values()) - sum(starts)
        for partition, end in ends.items():
            while not self._full() and await self._reader.position(partition) < end:
                if not await self._batch(partition, end):
                    break
                if progress is not None:
                    progress(self.done.found, total)

    async def _assign(self, topic: str) -> dict[TopicPartition, int]:
        if topic not in await self._reader.topics():
            raise NoDeadLetters(
                f"there is no topic {topic}: check the event type; `kafka topics --list` shows all"
            )
        numbers = await self._producer.partitions_for(topic)
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        self._reader.assign(partitions)
        ends: dict[TopicPartition, int] = await self._reader.end_offsets(partitions)
        return ends

    async def _batch(self, partition: TopicPartition, end: int) -> bool:
        """Deal with up to BATCH letters; False when Kafka delivered none."""
        found = await self._reader.getmany(partition, timeout_ms=POLL_MS, max_records=BATCH)
        taken = self._take([record for record in found.get(partition, []) if record.offset < end])
        if taken and not self._dry_run:
            await self._put_back([record for record in taken if self._ours(record)])
            await self._reader.commit({partition: taken[-1].offset + 1})
        return bool(taken)

    def _take(self, records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
        """Count, and stop at the limit."""
        taken = []
        for record in records:
            if self._full():
                break
            taken.append(record)
            self.done.found += 1
            if self._ours(record):
                self.done.sent += 1
            else:
                self.done.skipped += 1
        return taken

    def _full(self) -> bool:
        return self._limit is not None and self.done.sent >= self._limit

    def _ours(self, record: ConsumerRecord) -> bool:
        why = reason(record.headers)
        # One without its value cannot be put back; it lies where it was, as long as its topic keeps it.
        return why.get("group") == self._service and TRUNCATED not in why

    async def _put_back(self, records: Sequence[ConsumerRecord]) -> None:
        acknowledgements: list[Any] = []
        for record in records:
            origin = reason(record.headers)["topic"]
            message = {"value": record.value, "key": record.key, "headers": original(record.headers)}
            acknowledgements.append(await self._producer.send(origin, **message))
        for acknowledgement in acknowledgements:
            await acknowledgement
