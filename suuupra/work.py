"""What a service's `work` process runs: the relay of its outbox and the consumer of its subscriptions."""

from collections.abc import Sequence
from typing import Protocol

from suuupra.app import Resource
from suuupra.consuming import Consumer
from suuupra.db import Database, DatabaseOfService
from suuupra.inbox import Subscription
from suuupra.kafka import BusOfService, KafkaCheck
from suuupra.relay import Relay
from suuupra.running import Runnable


class WorkSettings(DatabaseOfService, BusOfService, Protocol):
    """What is read of a service's settings."""


def assemble(
    settings: WorkSettings, subscriptions: Sequence[Subscription], publishes: bool
) -> tuple[list[Resource], list[Runnable]]:
    """The resources and tasks of the process; nothing connects yet."""
    database = Database.of(settings)
    runnables: list[Runnable] = [Relay.of(settings)] if publishes else []
    if subscriptions:
        runnables.append(Consumer(database, settings, subscriptions))
    return [database, KafkaCheck(settings)], runnables
