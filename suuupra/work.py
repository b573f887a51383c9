"""What a service's `work` process runs: relay of its outbox, consumer of its subscriptions, schedules, own workers.

Kafka does not decide whether the process is ready, see docs/decisions/0007-workers-are-ready-without-kafka.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from suuupra.app import Resource
from suuupra.consuming import Consumer
from suuupra.db import Database, DatabaseOfService
from suuupra.inbox import Subscription
from suuupra.kafka import BusOfService, KafkaCheck
from suuupra.relay import Relay
from suuupra.running import Runnable
from suuupra.schedule import Handler, Scheduler


class WorkSettings(DatabaseOfService, BusOfService, Protocol):
    """What is read of a service's settings."""


@dataclass(frozen=True, slots=True)
class Work:
    """The parts of the process."""

    resources: Sequence[Resource]
    """Without one of these it is not ready."""
    optional: Sequence[Resource]
    """Waited for while they are away."""
    runnables: Sequence[Runnable]


def assemble(
    settings: WorkSettings,
    subscriptions: Sequence[Subscription],
    publishes: bool,
    schedules: Mapping[str, Handler] | None = None,
    workers: Sequence[Runnable] = (),
) -> Work:
    """The parts of the process; nothing connects yet."""
    database = Database.of(settings)
    runnables: list[Runnable] = [Relay.of(settings)] if publishes else []
    if subscriptions:
        runnables.append(Consumer(database, settings, subscriptions))
    if schedules:
        runnables.append(Scheduler(database, schedules))
    runnables += workers
    return Work([database], [KafkaCheck(settings)], runnables)
