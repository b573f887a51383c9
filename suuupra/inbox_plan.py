"""Pure: which of the delivered events are due, and which came before one they follow."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from suuupra.events import Event, Message, Meta

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


def is_due(meta: Meta, progress: Mapping[str, int], types: Collection[str]) -> bool:
    """Whether every earlier event of the aggregate that is of one of `types` has had its effect."""
    return all(progress.get(type_, 0) >= last for type_, last in meta.after.items() if type_ in types)


def advanced(progress: Mapping[str, int], meta: Meta) -> Progress:
    """`progress` after the event; a late one does not set it back."""
    return {**progress, meta.type: max(progress.get(meta.type, 0), meta.sequence)}


def plan(
    deliveries: Sequence[Delivery], progress: Mapping[Aggregate, Progress], types: Collection[str]
) -> Plan:
    """Order a batch of events that are all new. Whatever order they came in, each follows those it must follow."""
    standing = dict(progress)
    due: list[Delivery] = []
    early: list[Delivery] = []
    touched: dict[Aggregate, Progress] = {}
    for delivery in _by_sequence_within_aggregates(deliveries):
        aggregate = delivery.aggregate
        reached = standing.get(aggregate, {})
        if is_due(delivery.meta, reached, types):
            due.append(delivery)
            touched[aggregate] = standing[aggregate] = advanced(reached, delivery.meta)
        else:
            early.append(delivery)
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
