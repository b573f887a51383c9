"""Kafka, thinly: librdkafka's admin client in threads, one bulk describe of everything. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, but re-exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from suuupra_operator import metrics
from suuupra_operator.desired.topics import MANAGED_CONFIGS, Topic, TopicState
from suuupra_operator.errors import Permanent, Unreachable
from suuupra_operator.writes import Gate, Write

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10
_T = TypeVar("_T")
_AWAY = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._RESOLVE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_CONTROLLER,
    KafkaError.LEADER_NOT_AVAILABLE,
}


class Bus:
    """The platform's Kafka."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._servers = ""
        self._admin: AdminClient | None = None
        self._lock = asyncio.Lock()
        self.topics: Mapping[str, TopicState] | None = None
        """The last bulk read; None while Kafka does not answer."""
        self.problem = "not asked yet"

    async def configure(self, servers: str) -> None:
        """Use this cluster from now on; connects on first use."""
        if servers != self._servers:
            self._servers, self._admin, self.topics = servers, None, None

    async def refresh(self) -> bool:
        """Read all topics and their configuration; False, with `problem` saying why, when Kafka does not answer."""
        async with self._lock:
            try:
                self.topics, self.problem = await asyncio.to_thread(self._read), ""
            except (KafkaException, Unreachable) as error:
                self.topics, self.problem = None, _words(error)
        metrics.BACKEND_UP.labels("kafka").set(self.topics is not None)
        return self.topics is not None

    def known(self) -> Mapping[str, TopicState]:
        """The last bulk read, or Unreachable."""
        if self.topics is None:
            raise Unreachable("Kafka", self.problem)
        return self.topics

    async def create(self, topics: Sequence[Topic], replication: int) -> None:
        """Make topics. One that is there already is left as it is."""
        made = [
            NewTopic(topic.name, topic.partitions, replication_factor=replication, config=dict(topic.config))
            for topic in topics
        ]
        await self._write(
            Write.TOPICS_CREATED,
            lambda admin: admin.create_topics(made, request_timeout=REQUEST_SECONDS),
            tolerated=KafkaError.TOPIC_ALREADY_EXISTS,
        )

    async def grow(self, topic: Topic) -> None:
        """Add partitions up to the declared number."""
        more = [NewPartitions(topic.name, topic.partitions)]
        await self._write(
            Write.PARTITIONS_ADDED,
            lambda admin: admin.create_partitions(more, request_timeout=REQUEST_SECONDS),
        )

    async def configure_topic(self, topic: Topic) -> None:
        """Set the managed configuration; what else is configured stays."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in topic.config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)
        await self._write(
            Write.TOPIC_CONFIGURED,
            lambda admin: admin.incremental_alter_configs([resource], request_timeout=REQUEST_SECONDS),
        )

    async def delete(self, names: Sequence[str]) -> None:
        """Delete topics. Already gone is fine."""
        await self._write(
            Write.TOPICS_DELETED,
            lambda admin: admin.delete_topics(list(names), request_timeout=REQUEST_SECONDS),
            tolerated=KafkaError.UNKNOWN_TOPIC_OR_PART,
        )

    async def _write(
        self,
        write: Write,
        call: Callable[[AdminClient], Mapping[Any, Future[Any]]],
        *,
        tolerated: int | None = None,
    ) -> None:
        async with self._lock:
            try:
                async with self._gate.external(write):
                    await asyncio.to_thread(self._call, call, tolerated)
                self.topics = await asyncio.to_thread(self._read)
            except KafkaException as error:
                if error.args[0].code() in _AWAY:
                    self.topics, self.problem = None, _words(error)
                    raise Unreachable("Kafka", _words(error)) from error
                raise Permanent(f"Kafka refused {write.value}: {_words(error)}") from error

    def _call(self, call: Callable[[AdminClient], Mapping[Any, Future[Any]]], tolerated: int | None) -> None:
        """In a thread; the fence is asked once more, since the thread may have waited for its turn."""
        self._gate.check()
        for future in call(self._client()).values():
            try:
                future.result()
            except KafkaException as error:
                if tolerated is None or error.args[0].code() != tolerated:
                    raise

    def _read(self) -> dict[str, TopicState]:
        """All topics by one metadata request, all their configurations by one describe."""
        admin = self._client()
        found = admin.list_topics(timeout=REQUEST_SECONDS).topics
        names = [name for name in found if not name.startswith("__")]
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        configs: dict[str, dict[str, str]] = {}
        if resources:
            for resource, future in admin.describe_configs(
                resources, request_timeout=REQUEST_SECONDS
            ).items():
                entries = _described(future)
                if entries is not None:
                    configs[resource.name] = {
                        name: entries[name].value for name in MANAGED_CONFIGS if name in entries
                    }
        return {
            name: TopicState(len(found[name].partitions), configs[name]) for name in names if name in configs
        }

    def _client(self) -> AdminClient:
        if not self._servers:
            raise Unreachable("Kafka", self.problem)
        if self._admin is None:
            self._admin = AdminClient(
                {
                    "bootstrap.servers": self._servers,
                    "client.id": "suuupra-operator",
                    "socket.timeout.ms": REQUEST_SECONDS * 1000,
                    "reconnect.backoff.max.ms": 5000,
                    "log_level": 3,
                },
                logger=log,
            )
        return self._admin


def _described(future: Future[dict[str, Any]]) -> dict[str, Any] | None:
    """None when the topic was deleted between the two reads."""
    try:
        return future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def _words(error: Exception) -> str:
    """librdkafka's own explanation, without its codes."""
    inner = error.args[0] if error.args else error
    return str(inner.str()) if isinstance(inner, KafkaError) else str(inner)
