"""Messages that could not be handled: how they are written to `<topic>.dlt`, and how they are read back."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaProducer

from suuupra import failpoints, kafka, logs
from suuupra.events import Headers, Message

PREFIX: Final = "dlt_"
CAUSE_LIMIT: Final = 1_000
"""Most characters of a cause."""


class Cemetery:
    """Writes dead letters for one consumer group."""

    def __init__(self, settings: kafka.BusOfService) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def bury(self, message: Message, error: BaseException, attempts: int) -> None:
        """Write to `<topic>.dlt` and wait for the acknowledgement. Raises KafkaError."""
        producer = await self._connected()
        reason = {
            "cause": logs.clean(f"{type(error).__name__}: {error}")[:CAUSE_LIMIT],
            "group": self._settings.name,
            "topic": message.topic,
            "partition": str(message.partition),
            "offset": str(message.offset),
            "attempts": str(attempts),
            "time": datetime.now(UTC).isoformat(),
        }
        await producer.send_and_wait(
            kafka.dead_letter_topic(message.topic),
            # Kafka refuses a message that has neither.
            value=message.value if message.value is not None or message.key is not None else b"",
            key=message.key,
            headers=[
                *original(message.headers),
                *((PREFIX + name, text.encode()) for name, text in reason.items()),
            ],
        )
        failpoints.hit("consumer.buried")

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                made = kafka.producer(self._settings, "dead-letters")
                self._producer = await self._stack.enter_async_context(made)
            return self._producer

    async def close(self) -> None:
        """Close the producer, if one was needed."""
        self._producer = None
        await self._stack.aclose()


def original(headers: Headers) -> list[tuple[str, bytes]]:
    """The headers as the publisher wrote them."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


def reason(headers: Headers) -> Mapping[str, str]:
    """Why and where a dead letter died: cause, group, topic, partition, offset, attempts, time."""
    return {
        name.removeprefix(PREFIX): value.decode(errors="replace")
        for name, value in headers
        if name.startswith(PREFIX)
    }
