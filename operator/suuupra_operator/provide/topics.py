"""Topics: one-way, from the resource to Kafka."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from suuupra_operator import metrics
from suuupra_operator.bus import Bus
from suuupra_operator.claims import ADOPT, adopted
from suuupra_operator.conditions import Finding, counted
from suuupra_operator.desired import topics
from suuupra_operator.desired.subject import Subject
from suuupra_operator.desired.topics import Changes, Topic
from suuupra_operator.models import Reclaim
from suuupra_operator.status import SuuupraServiceStatus

TYPE = "TopicsReady"
UNMANAGED = "suuupra.io/unmanaged-topics"


@dataclass(frozen=True)
class Plan:
    """What to do, and which topics the resource claims once it is done."""

    changes: Changes
    claims: list[str]
    delete: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Consumed, and not there yet."""
    lost: list[str] = field(default_factory=list)
    """Another resource has them."""
    drifted: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


class TopicProvider:
    """Topics of services."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def plan(
        self,
        subject: Subject,
        status: SuuupraServiceStatus,
        lost: dict[str, str],
        *,
        settled: bool,
        moved: Collection[str] = (),
    ) -> Plan:
        """``lost`` names the resource that holds a topic this one claims, too; ``moved`` it gave up to another."""
        live = self._bus.known()
        unmanaged = set(_names(subject.annotations.get(UNMANAGED, "")))
        wanted = [t for t in topics.published(subject) if t.name not in unmanaged and t.name not in lost]
        handed = adopted(subject.annotations)
        changes = topics.changes(wanted, live, claimed=status.claims.topics, adopted=handed)
        changes.refused.update({name: _lost(subject, name, holder) for name, holder in lost.items()})
        claims = sorted(
            {t.name for t in wanted} - {n for n in changes.refused if n not in status.claims.topics}
        )
        gone = [name for name in status.claims.topics if name not in claims]
        keeps = subject.spec.events is None or subject.spec.events.reclaim is Reclaim.RETAIN
        return Plan(
            changes,
            claims,
            delete=[] if keeps else [n for n in gone if n in live and n not in {*unmanaged, *lost, *moved}],
            missing=[
                n for n in topics.consumed(subject) if n not in live and n not in {t.name for t in wanted}
            ],
            drifted=_drifted(changes, status.claims.topics) if settled else [],
            lost=sorted(lost),
            released=[name for name in gone if name in unmanaged],
        )

    async def provide(self, subject: Subject, plan: Plan) -> Finding:
        """Write what differs."""
        changes = plan.changes
        if changes.create:
            await self._bus.create(changes.create, subject.platform.kafka.replication_factor)
        for topic in changes.grow:
            await self._bus.grow(topic)
        for topic in changes.configure:
            await self._bus.configure_topic(topic)
        if plan.delete:
            await self._bus.delete(plan.delete)
        for _ in plan.drifted:
            metrics.DRIFT.labels("KafkaTopic").inc()
        return _finding(plan)


def _lost(subject: Subject, name: str, holder: str) -> str:
    """Which entry asks for what another resource has, and what to do about it."""
    listed = subject.spec.events.publishes if subject.spec.events else []
    asking = (
        f"events.publishes[{index}].topic"
        for index, item in enumerate(listed)
        if name in (item.topic, item.topic + topics.DEAD_LETTERS)
    )
    return (
        f"{next(asking, 'events')}: topic {name} belongs to resource {holder}: "
        f"publish under another name, consume it instead, or annotate {ADOPT}={name} to take it over"
    )


def _finding(plan: Plan) -> Finding:
    if plan.changes.refused:
        fewer = any("cannot remove partitions" in text for text in plan.changes.refused.values())
        reason = "ResourceConflict" if plan.lost else "FewerPartitions" if fewer else "NotAdopted"
        return Finding(TYPE, False, reason, "; ".join(plan.changes.refused.values()))
    if plan.missing:
        names = ", ".join(plan.missing)
        return Finding(
            TYPE,
            False,
            "WaitingForTopic",
            f"no resource publishes {names} yet: apply the one that does",
            again=30,
        )
    return Finding(TYPE, True, "Provided", counted(len(plan.claims), "topic"))


def _drifted(changes: Changes, claimed: list[str]) -> list[str]:
    """Topics that were right before: what differs now was changed in Kafka."""
    touched: list[Topic] = [*changes.create, *changes.grow, *changes.configure]
    return sorted({topic.name for topic in touched if topic.name in claimed})


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
