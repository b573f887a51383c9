"""How long an event may come again, asked of Kafka: what the inbox forgets sooner could have its effect twice."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from suuupra import kafka

LEAST: Final = timedelta(days=35)
"""What is remembered at least: retention may be raised between two looks at it."""
MARGIN: Final = timedelta(days=1)
_UNKNOWN: Final = 3
"""Kafka's error code for a topic that is not there."""
_CONFIGS: Final = ("retention.ms", "segment.ms")


async def memory_for(settings: kafka.BusOfService, topics: Collection[str]) -> timedelta | None:
    """How long events of some topics must be remembered; None: for ever, because one keeps them for ever.

    An event lies in its topic for its retention, and a letter of another group, redriven on its last day, puts it
    there once more. Kafka deletes whole segments, each after its last message has aged. Raises KafkaError.
    """
    names = [name for topic in topics for name in (topic, kafka.dead_letter_topic(topic))]
    configs = await _configs(settings, names)
    longest = LEAST
    for topic in topics:
        kept = [_kept(configs.get(name)) for name in (topic, kafka.dead_letter_topic(topic))]
        if None in kept:
            return None
        longest = max(longest, sum((one for one in kept if one is not None), MARGIN))
    return longest


def _kept(config: Mapping[str, str] | None) -> timedelta | None:
    """How long a topic may hold a message: none that is not there does."""
    if config is None:
        return timedelta(0)
    retention, segment = (int(config[name]) for name in _CONFIGS)
    return None if retention < 0 else timedelta(milliseconds=retention + min(segment, retention))


async def _configs(settings: kafka.BusOfService, topics: Collection[str]) -> dict[str, dict[str, str]]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.name}-retention",
        request_timeout_ms=kafka.REQUEST_LIMIT_MS,
    )
    await admin.start()
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    return dict(
        _read(resource) for answer in answers for resource in answer.resources if resource[0] != _UNKNOWN
    )


def _read(resource: Any) -> tuple[str, dict[str, str]]:
    code, message, _, name, entries = resource
    if code:
        raise for_code(code)(message)
    return name, {entry[0]: entry[1] for entry in entries}
