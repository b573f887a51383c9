"""Pure: which of the delivered events are due, and which came before one they follow."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from suuupra.events import Event, Message, Meta
from suuupra.kafka import partition_of

Aggregate = tuple[str, str]
"""Source and aggregate id."""
Progress = dict[str, int]
"""Event type → last sequence that had its effect."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it was delivered: read, and as it came."""

    meta: Meta
    event: Event
    message: Message

    @property
    def aggregate(self) -> Aggregate:
        return (self.meta.source, self.meta.subject)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a batch."""

    due: Sequence[Delivery]
    """In the order of their effects."""
    early: Sequence[Delivery]
    """To be parked."""
    progress: Mapping[Aggregate, Progress]
    """Where each aggregate with something due will stand after it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Where the group found a partition when it first read it."""

    topic: str
    partition: int
    partitions: int
    """How many the topic had."""
    first_offset: int
    """Above 0: retention had removed what came before."""
    time: datetime | None
    """Of the first event there was; of the joining itself when there was none."""
    caught_up_at: datetime | None = None
    """When it was last known that everything in the partition had been settled."""


class Baseline:
    """What retention had removed before the group began to read: events that come no more, and are not waited for."""

    def __init__(self, joined: Iterable[Joined] = ()) -> None:
        self._joined = {(one.topic, one.partition): one for one in joined}

    def __bool__(self) -> bool:
        return bool(self.trimmed)

    @property
    def trimmed(self) -> frozenset[str]:
        """The topics of which something had been removed."""
        return frozenset(one.topic for one in self._joined.values() if one.first_offset > 0)

    def knows(self, topic: str, partition: int) -> bool:
        """Whether the joining of a partition is recorded."""
        return (topic, partition) in self._joined

    def removed(self, type_: str, meta: Meta, *, disturbed: bool) -> bool:
        """Whether the aggregate's event of `type_` that `meta` follows, of which nothing was had, came no more.

        In its own topic it would have come before `meta`, in the same partition, unless the aggregate's order is
        `disturbed`: some of its events wait. In another it is older than `meta`, so surely removed when `meta` is
        older than the first event that was left there.
        """
        if type_ == meta.type:
            own = self._joined.get((type_, meta.partition))
            return own is not None and own.first_offset > 0 and not disturbed
        other = self._joined.get((type_, self._partition_of(type_, meta.subject)))
        return other is not None and other.time is not None and meta.time < other.time

    def _partition_of(self, topic: str, subject: str) -> int:
        counts = [one.partitions for one in self._joined.values() if one.topic == topic]
        return partition_of(subject, max(counts)) if counts else -1

    def caught_up(self) -> dict[str, datetime]:
        """Trimmed topic → since when everything that was in it by then has been settled, where that is known."""
        return {topic: since for topic in self.trimmed if (since := self._caught_up(topic)) is not None}

    def _caught_up(self, topic: str) -> datetime | None:
        rows = [one for one in self._joined.values() if one.topic == topic]
        times = [one.caught_up_at for one in rows if one.caught_up_at is not None]
        return min(times) if len(times) == len(rows) == max(one.partitions for one in rows) else None


def is_due(
    meta: Meta,
    progress: Mapping[str, int],
    types: Collection[str],
    baseline: Baseline = Baseline(),  # noqa: B008 (it is immutable)
    *,
    disturbed: bool = False,
) -> bool:
    """Whether every earlier event of the aggregate that is of one of `types` has had its effect, or never comes."""
    return all(
        progress.get(type_, 0) >= last
        or (type_ not in progress and baseline.removed(type_, meta, disturbed=disturbed))
        for type_, last in meta.after.items()
        if type_ in types
    )


def advanced(progress: Mapping[str, int], type_: str, sequence: int) -> Progress:
    """`progress` after the event of that type and number; a late one does not set it back."""
    return {**progress, type_: max(progress.get(type_, 0), sequence)}


def filled(progress: Mapping[str, int], meta: Meta, types: Collection[str]) -> Progress:
    """`progress` after the event, and with what it follows counted as had: nothing waits for that again."""
    before = {
        type_: max(progress.get(type_, 0), last) for type_, last in meta.after.items() if type_ in types
    }
    return advanced({**progress, **before}, meta.type, meta.sequence)


def plan(
    deliveries: Sequence[Delivery],
    progress: Mapping[Aggregate, Progress],
    types: Collection[str],
    baseline: Baseline = Baseline(),  # noqa: B008
    waiting: Collection[Aggregate] = (),
) -> Plan:
    """Order a batch of events that are all new. Whatever order they came in, each follows those it must follow.

    `waiting` are aggregates of which events are parked.
    """
    standing = dict(progress)
    due: list[Delivery] = []
    early: list[Delivery] = []
    touched: dict[Aggregate, Progress] = {}
    disturbed = set(waiting)
    for delivery in _by_sequence_within_aggregates(deliveries):
        aggregate = delivery.aggregate
        reached = standing.get(aggregate, {})
        if is_due(delivery.meta, reached, types, baseline, disturbed=aggregate in disturbed):
            due.append(delivery)
            touched[aggregate] = standing[aggregate] = filled(reached, delivery.meta, types)
        else:
            early.append(delivery)
            disturbed.add(aggregate)
    return Plan(due, early, touched)


def _by_sequence_within_aggregates(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """The order of arrival, except that the events of one aggregate take their places by sequence."""
    places: dict[Aggregate, list[int]] = {}
    for index, delivery in enumerate(deliveries):
        places.setdefault(delivery.aggregate, []).append(index)
    ordered = list(deliveries)
    for indices in places.values():
        members = sorted((deliveries[index] for index in indices), key=lambda member: member.meta.sequence)
        for index, member in zip(indices, members, strict=True):
            ordered[index] = member
    return ordered
