"""Topics of a resource, and what Kafka must be told so that it has them: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from suuupra_operator.desired.subject import Subject
from suuupra_operator.schema import seconds

DEAD_LETTERS = ".dlt"
DEAD_LETTER_RETENTION = "30d"
MANAGED_CONFIGS = ("retention.ms", "retention.bytes", "cleanup.policy", "min.insync.replicas")


@dataclass(frozen=True)
class Topic:
    """A topic as it should be."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class TopicState:
    """A topic as it is."""

    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Changes:
    """What to do, and what is refused, in words."""

    create: list[Topic] = field(default_factory=list)
    grow: list[Topic] = field(default_factory=list)
    configure: list[Topic] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def published(subject: Subject) -> list[Topic]:
    """Every topic the resource owns: one per event type, and its dead letters."""
    events = subject.spec.events
    found: list[Topic] = []
    for item in events.publishes if events else ():
        found.append(_topic(subject, item.topic, item.partitions, item.retention))
        found.append(_topic(subject, item.topic + DEAD_LETTERS, 1, DEAD_LETTER_RETENTION))
    return found


def consumed(subject: Subject) -> list[str]:
    """Names of the topics the resource reads."""
    return [item.topic for item in subject.spec.events.consumes] if subject.spec.events else []


def changes(
    wanted: Collection[Topic],
    live: Mapping[str, TopicState],
    *,
    claimed: Collection[str],
    adopted: Collection[str],
) -> Changes:
    """``claimed`` are topics this resource made before, ``adopted`` those its author handed over.

    A topic that was made elsewhere and differs is refused rather than overwritten; one that is already as wanted
    needs no permission, since nothing would be written.
    """
    found = Changes()
    for topic in wanted:
        state = live.get(topic.name)
        if state is None:
            found.create.append(topic)
        elif topic.partitions < state.partitions:
            found.refused[topic.name] = (
                f"topic {topic.name} has {state.partitions} partitions and the resource says {topic.partitions}: "
                f"Kafka cannot remove partitions; set partitions: {state.partitions} or publish to a new topic"
            )
        elif _same(topic, state):
            continue
        elif topic.name not in claimed and topic.name not in adopted and "*" not in adopted:
            found.refused[topic.name] = (
                f"topic {topic.name} exists, was not made for this resource and differs ({_difference(topic, state)}): "
                f"annotate suuupra.io/adopt={topic.name} to take it over"
            )
        else:
            if topic.partitions > state.partitions:
                found.grow.append(topic)
            if not _configured(topic, state):
                found.configure.append(topic)
    return found


def _topic(subject: Subject, name: str, partitions: int, retention: str) -> Topic:
    config = {
        "retention.ms": str(int(seconds(retention) * 1000)),
        "retention.bytes": "-1",  # events end by age alone
        "cleanup.policy": "delete",
        "min.insync.replicas": str(subject.platform.kafka.min_in_sync_replicas),
    }
    return Topic(name, partitions, config)


def _same(topic: Topic, state: TopicState) -> bool:
    return topic.partitions == state.partitions and _configured(topic, state)


def _configured(topic: Topic, state: TopicState) -> bool:
    return all(state.config.get(name) == value for name, value in topic.config.items())


def _difference(topic: Topic, state: TopicState) -> str:
    found = (
        [f"partitions {state.partitions} → {topic.partitions}"]
        if topic.partitions != state.partitions
        else []
    )
    found += [
        f"{name} {state.config.get(name)} → {value}"
        for name, value in topic.config.items()
        if state.config.get(name) != value
    ]
    return ", ".join(found)
