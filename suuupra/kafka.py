"""Kafka clients of a service: named after it, idempotent, and closed in bounded time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, ClassVar, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from suuupra.errors import Unavailable

BATCH_BYTES: Final = 256 * 1024
"""Most bytes of one batch of one partition; well under the broker's limit of 1 MiB per batch."""
REQUEST_LIMIT_MS: Final = 10_000
CLOSE_LIMIT: Final = 2.0
"""Seconds a producer may take to send what it still holds when it is closed."""


class KafkaUnavailable(Unavailable):
    """No broker answers."""

    slug: ClassVar[str] = "kafka-unavailable"
    title: ClassVar[str] = "The event bus is not available"


class BusOfService(Protocol):
    """What is read of a service's settings."""

    @property
    def name(self) -> str: ...
    @property
    def kafka_bootstrap(self) -> str: ...


def partition_of(aggregate_id: str, partitions: int) -> int:
    """Where Kafka's own clients place the events of an aggregate by their key."""
    return _hash(aggregate_id) % partitions


@lru_cache(maxsize=65_536)
def _hash(aggregate_id: str) -> int:
    """Kafka's hash of a key: the Java client's, so that other clients place the aggregate alike."""
    return int(murmur2(aggregate_id.encode())) & 0x7FFF_FFFF


def dead_letter_topic(topic: str) -> str:
    """Where messages of `topic` go that cannot be handled."""
    return f"{topic}.dlt"


@asynccontextmanager
async def producer(settings: BusOfService, role: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer: acks from all replicas, no duplicates and no reordering within its life.

    With idempotence it retries until the broker answers, for ever. Raises KafkaError when no broker answers at first.
    """
    made = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.name}-{role}",
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=REQUEST_LIMIT_MS,
    )
    try:
        await made.start()
        yield made
    finally:
        await _close(made)


async def _close(made: AIOKafkaProducer) -> None:
    """Stop it, without waiting for a broker that does not answer.

    `stop()` flushes, and flushing never ends while Kafka is away; what is left behind is still in the outbox.
    """
    try:
        async with asyncio.timeout(CLOSE_LIMIT):
            await made.stop()
    except TimeoutError:
        await made._sender.close()
        await made.client.close()


def consumer(settings: BusOfService, role: str, *, group: str | None, **options: Any) -> AIOKafkaConsumer:
    """A consumer, not started, that commits nothing by itself and starts at the beginning of what it has not seen.

    aiokafka has no cooperative rebalance: each one takes all partitions from all members for a moment. The default
    round-robin assignor is kept, because nothing of ours gains from getting the same partition back.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.name}-{role}",
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_LIMIT_MS,
        metadata_max_age_ms=30_000,
        # What a member left behind that was killed is taken over after 6 s, the least a broker accepts by default.
        session_timeout_ms=6_000,
        heartbeat_interval_ms=2_000,
        **options,
    )


class KafkaCheck:
    """For /readyz: whether a broker answers."""

    name = "kafka"

    def __init__(self, settings: BusOfService) -> None:
        self._addresses = _addresses(settings.kafka_bootstrap)

    async def open(self) -> None:
        """Nothing: there is no connection to keep."""

    async def close(self) -> None:
        """Nothing."""

    async def check(self) -> None:
        """Raise KafkaUnavailable unless one broker accepts a connection."""
        for host, port in self._addresses:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                continue
            writer.close()
            return
        raise KafkaUnavailable("no Kafka broker accepts a connection")


def _addresses(bootstrap: str) -> Sequence[tuple[str, int]]:
    pairs = (server.strip().rpartition(":") for server in bootstrap.split(","))
    return [(host, int(port)) for host, _, port in pairs]


__all__ = [
    "KafkaCheck",
    "KafkaError",
    "KafkaUnavailable",
    "consumer",
    "dead_letter_topic",
    "partition_of",
    "producer",
]
