"""Messages that could not be handled: how they are written to `<topic>.dlt`, and how they are read back."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from suuupra import failpoints, kafka, logs
from suuupra.clock import Clock
from suuupra.events import Headers, Message

PREFIX: Final = "dlt_"
CAUSE_LIMIT: Final = 1_000
"""Most characters of a cause."""
TRUNCATED: Final = "truncated"
"""In the reason of a letter without its value: how many bytes that had."""
SMALL: Final = 4096
"""Bytes of a key or header that is kept with a letter without value."""
SMALL_HEADERS: Final = 50


class Cemetery:
    """Writes dead letters for one consumer group."""

    def __init__(self, settings: kafka.BusOfService, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def bury(self, message: Message, error: BaseException, attempts: int) -> None:
        """Write to `<topic>.dlt` and wait for the acknowledgement. Raises KafkaError.

        A message that is too large with its cause goes without its value: it stays where it was, at that offset.
        """
        reason = self._reason(message, error, attempts)
        try:
            await self._write(message, reason)
        except MessageSizeTooLargeError:
            size = str(len(message.value or b""))
            await self._write(_stripped(message), {**reason, TRUNCATED: size})
        failpoints.hit("consumer.buried")

    def _reason(self, message: Message, error: BaseException, attempts: int) -> dict[str, str]:
        return {
            "cause": logs.clean(f"{type(error).__name__}: {error}")[:CAUSE_LIMIT],
            "group": self._settings.name,
            "topic": message.topic,
            "partition": str(message.partition),
            "offset": str(message.offset),
            "attempts": str(attempts),
            "time": self._clock.now().isoformat(),
        }

    async def _write(self, message: Message, reason: Mapping[str, str]) -> None:
        producer = await self._connected()
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


def _stripped(message: Message) -> Message:
    """Without its value, and without the parts beside it that are too large as well."""
    headers = [(name, value) for name, value in message.headers if len(value) <= SMALL]
    key = message.key if message.key is None or len(message.key) <= SMALL else None
    return replace(message, key=key, value=b"", headers=headers[:SMALL_HEADERS])


def original(headers: Headers) -> list[tuple[str, bytes]]:
    """The headers as the publisher wrote them."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


def reason(headers: Headers) -> Mapping[str, str]:
    """Why and where a dead letter died: cause, group, topic, partition, offset, attempts, time, truncated."""
    return {
        name.removeprefix(PREFIX): value.decode(errors="replace")
        for name, value in headers
        if name.startswith(PREFIX)
    }
