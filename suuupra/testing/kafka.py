"""A Kafka of the session, and topics that go with their test."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from suuupra.kafka import dead_letter_topic
from suuupra.testing.containers import Container, free_port
from suuupra.testing.waiting import until


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """The session's Kafka: one broker that creates no topic by itself."""

    container: Container

    @classmethod
    def start(cls) -> "KafkaServer":
        """Start it, advertised at the address tests reach it at, and wait until it answers."""
        port = free_port()
        # A group that waits 3 s for more members at its first join would cost every test 3 s.
        options = (
            "--env",
            f"KAFKA_ADVERTISED=127.0.0.1:{port}",
            "--env",
            "KAFKA_SET_GROUP_INITIAL_REBALANCE_DELAY_MS=0",
        )
        container = Container.run("kafka", 9092, *options, host_port=port)
        container.wait(lambda started: started.succeeds(["ready"]))
        return cls(container)

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.container.port}"

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers."""
        self.container.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self.container.resume()


@dataclass(slots=True)
class Topics:
    """Makes topics, reads them back, and deletes them at the end."""

    bootstrap: str
    _admin: Any = None
    _made: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made:
            await self._admin.delete_topics(self._made)
            await self._until_listed(self._made, present=False)
        await self._admin.close()

    async def create(
        self, topic: str, *, partitions: int = 3, configs: Mapping[str, str] | None = None
    ) -> str:
        """A topic (with `configs`) and its dead letter topic, ready for use; returns the topic's name."""
        pair = [(topic, partitions), (dead_letter_topic(topic), 1)]
        chosen = [dict(configs or {}), {}]
        await self._admin.create_topics(
            [
                NewTopic(name, count, 1, topic_configs=config)
                for (name, count), config in zip(pair, chosen, strict=True)
            ]
        )
        self._made += [name for name, _ in pair]
        await self._until_listed([name for name, _ in pair], present=True)
        return topic

    async def read(self, topic: str, count: int, *, limit: float = 30.0) -> list[ConsumerRecord]:
        """The first `count` messages of a topic, waited for up to `limit` seconds; fewer when no more come."""
        found: list[ConsumerRecord] = []
        reader = AIOKafkaConsumer(topic, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await reader.start()
        try:
            async with asyncio.timeout(limit):
                while len(found) < count:
                    batches = await reader.getmany(timeout_ms=200)
                    found += [record for batch in batches.values() for record in batch]
        except TimeoutError:
            return found
        finally:
            await reader.stop()
        return found

    async def trim(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Delete what lies before an offset of each partition, as retention would."""
        records = {
            TopicPartition(topic, number): RecordsToDelete(offset) for number, offset in offsets.items()
        }
        await self._admin.delete_records(records)

    async def count(self, topic: str) -> int:
        """How many messages a topic has had."""
        reader = AIOKafkaConsumer(topic, bootstrap_servers=self.bootstrap)
        await reader.start()
        try:
            return sum((await reader.end_offsets(list(reader.assignment()))).values())
        finally:
            await reader.stop()

    async def _until_listed(self, topics: Sequence[str], *, present: bool) -> None:
        """Wait until the broker answers for topics as it should: with a leader for each partition, or not at all."""

        async def listed() -> bool:
            return all([await self._is_listed(topic) is present for topic in topics])

        await until(listed)

    async def _is_listed(self, topic: str) -> bool:
        (described,) = await self._admin.describe_topics([topic])
        partitions = described["partitions"]
        return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)
