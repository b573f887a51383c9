"""One reconcile of one resource: what it starts from, what it has found so far, what the queue is told afterwards."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from suuupra_operator.claims import route_claims
from suuupra_operator.cluster import Object
from suuupra_operator.conditions import Finding, Refusal
from suuupra_operator.desired.dashboard import dashboard
from suuupra_operator.desired.environment import (
    cache_secret,
    database_secret,
    migration_secret,
    objects_secret,
)
from suuupra_operator.desired.network import network_policy
from suuupra_operator.desired.rules import rules
from suuupra_operator.desired.scaling import autoscaler, disruption_budget
from suuupra_operator.desired.service import service, service_account
from suuupra_operator.desired.subject import Manifest, Subject
from suuupra_operator.errors import ApiError, OperatorError, Temporary, Unreachable
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.primaries import is_ready, status_of
from suuupra_operator.routes import Route
from suuupra_operator.status import SuuupraServiceStatus

_T = TypeVar("_T")
REFUSED_AGAIN_SECONDS = 120.0
"""How often to see whether somebody cleared away what stood in the way."""
SURVIVED = {
    "TopicsReady": "events wait in the outbox",
    "SecretsReady": "pods keep what they have read",
    "CacheReady": "pods do without what is kept there",
}
"""Parts whose server may be away without an effect on what runs, and why."""


@dataclass
class Outcome:
    """What the queue should do with the key: try again with growing pauses, or look again in ``again`` seconds."""

    retry: bool = False
    again: float | None = None


@dataclass
class Round:
    """What one reconcile has found so far."""

    obj: Object
    subject: Subject
    status: SuuupraServiceStatus
    settled: bool
    """This very spec was Ready when it was last looked at."""
    findings: list[Finding] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    lost: dict[str, dict[str, str]] = field(default_factory=dict)
    """By kind of claim: what another resource holds, and which."""
    again: list[float] = field(default_factory=list)

    @classmethod
    def begin(
        cls, obj: Object, spec: SuuupraServiceSpec, platform: SuuupraPlatformSpec, *, operated: bool = False
    ) -> Round:
        subject = subject_of(obj, spec, platform, operated=operated)
        return cls(obj, subject, status_of(obj), settled=is_ready(obj))

    def held(self, kind: str) -> bool:
        """Whether the last look said of this very spec that the part was ready, or that nobody could see it since."""
        generation = self.obj["metadata"]["generation"]
        return any(
            condition.type == kind
            and condition.status != "False"
            and condition.observed_generation == generation
            for condition in self.status.conditions
        )

    def found(self, finding: Finding) -> Finding:
        self.findings.append(finding)
        return finding

    async def attempt(self, kind: str, part: Awaitable[_T]) -> _T | None:
        """Run one part; its failure becomes a finding."""
        try:
            return await part
        except Unreachable as error:
            self.found(self._unseen(kind, error))
        except Temporary as error:
            self.found(Finding(kind, False, error.reason, str(error), retry=True))
        except ApiError as error:
            self.found(Finding(kind, False, error.reason, str(error), retry=error.temporary))
            if not error.temporary:
                self.again.append(REFUSED_AGAIN_SECONDS)
        except OperatorError as error:
            self.found(Finding(kind, False, error.reason, str(error)))
            self.again.append(REFUSED_AGAIN_SECONDS)
        return None

    def _unseen(self, kind: str, error: Unreachable) -> Finding:
        """What goes on without a server counts as being there: events wait in the outbox, pods keep what they read."""
        if kind in SURVIVED and self.held(kind):
            text = f"there when last seen, {SURVIVED[kind]}: {error}"
            return Finding(kind, True, error.reason, text, unknown=True, retry=True)
        return Finding(kind, False, error.reason, str(error), retry=True)

    def refused_routes(self) -> dict[int, Refusal]:
        """By index: routes whose path is the gateway's, another resource's, or an earlier route's of this one."""
        lost, taken = self.lost.get("route", {}), set[str]()
        refused: dict[int, Refusal] = {}
        for index, route in enumerate(self.subject.spec.routes):
            names = [claim.name for claim in route_claims(route)]
            refusal = _refused(route, names, lost, taken)
            if refusal is not None:
                refused[index] = refusal
            taken.update(names)
        return refused

    def outcome(self) -> Outcome:
        waits = [*self.again, *(f.again for f in self.findings if f.again is not None)]
        return Outcome(retry=any(f.retry for f in self.findings), again=min(waits, default=None))


def _refused(route: Route, names: list[str], lost: dict[str, str], taken: set[str]) -> Refusal | None:
    """``lost`` says who has what this resource claims, too; ``taken`` is what its earlier routes claim."""
    if route.reserved:
        text = (
            f"{route.path}: /internal is never routed, and /gateway is the gateway's own: choose another path"
        )
        return Refusal("ReservedPath", text)
    foreign = next((name for name in names if name in lost), None)
    if foreign is not None:
        text = f"{foreign} belongs to resource {lost[foreign]}: choose another path, or other methods"
        return Refusal("RouteConflict", text)
    if any(name in taken for name in names):
        text = f"{route.path} ({route.match}) is declared twice for the same method: leave one of them out"
        return Refusal("RouteConflict", text)
    return None


def subject_of(
    obj: Object, spec: SuuupraServiceSpec, platform: SuuupraPlatformSpec, *, operated: bool = False
) -> Subject:
    """What manifests are rendered for."""
    meta = obj["metadata"]
    annotations = meta.get("annotations", {})
    return Subject(meta["namespace"], meta["name"], meta["uid"], spec, platform, annotations, operated)


def static_children(subject: Subject, alerts: str = "") -> list[Manifest]:
    """Children that follow from the spec alone, and from ``alerts``: the rule file of the code it runs."""
    scaler = autoscaler(subject)
    return [
        service_account(subject),
        service(subject),
        network_policy(subject),
        disruption_budget(subject),
        rules(subject, alerts),
        dashboard(subject),
        *([scaler] if scaler else []),
    ]


def secrets_of(subject: Subject) -> set[str]:
    """Names of the Secrets that the resource needs."""
    names = {database_secret(subject), migration_secret(subject)} if subject.spec.database else set[str]()
    names |= {objects_secret(subject)} if subject.spec.buckets else set()
    return names | ({cache_secret(subject)} if subject.spec.cache else set())
