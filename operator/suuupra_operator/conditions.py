"""From what was observed to what the status says: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from suuupra_operator.routes import Route
from suuupra_operator.status import Condition, RouteStatus

Object = dict[str, Any]
READY = "Ready"


@dataclass(frozen=True)
class Finding:
    """One aspect as it was found. ``again`` in seconds: when to look again; None leaves that to events."""

    type: str
    ok: bool
    reason: str
    message: str = ""
    unknown: bool = False
    """Not seen now, and right when last seen for this very spec: said, and no reason not to be Ready."""
    retry: bool = False
    """A failure that passes by itself: come back with growing pauses."""
    again: float | None = None


def compose(
    findings: Sequence[Finding], previous: Iterable[Condition], generation: int, now: str
) -> list[Condition]:
    """Ready first, then one condition per finding; a transition time moves only when the status does."""
    old = {condition.type: condition for condition in previous}
    return [_condition(finding, old, generation, now) for finding in (summary(findings), *findings)]


def summary(findings: Sequence[Finding]) -> Finding:
    """Ready is what the worst finding says: failures before waiting."""
    bad = [finding for finding in findings if not finding.ok]
    if not bad:
        unseen = [f"; {_told(finding)}" for finding in findings if finding.unknown]
        return Finding(READY, True, READY, f"every part is ready{''.join(unseen)}"[:2000])
    return Finding(READY, False, bad[0].reason, "; ".join(map(_told, bad))[:2000])


def _told(finding: Finding) -> str:
    return f"{finding.type}: {finding.message or finding.reason}"


def _condition(finding: Finding, old: dict[str, Condition], generation: int, now: str) -> Condition:
    status = _status(finding)
    before = old.get(finding.type)
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(
        type=finding.type,
        status=status,
        reason=finding.reason,
        message=finding.message[:2000],
        observed_generation=generation,
        last_transition_time=since or now,
    )


def _status(finding: Finding) -> Literal["True", "False", "Unknown"]:
    if finding.unknown:
        return "Unknown"
    return "True" if finding.ok else "False"


@dataclass(frozen=True)
class Pods:
    """Numbers of serving pods."""

    replicas: int = 0
    ready: int = 0


def pods(live: Object | None) -> Pods:
    """What a Deployment says about its pods."""
    status = (live or {}).get("status", {})
    return Pods(int(status.get("replicas", 0)), int(status.get("readyReplicas", 0)))


def rollout(live: Sequence[Object | None]) -> Finding:
    """Whether every Deployment runs what it should, and only that."""
    for deployment in live:
        if deployment is None:
            return Finding("RolloutReady", False, "Progressing", "the Deployment is being made")
        finding = _rollout(deployment)
        if not finding.ok:
            return finding
    return Finding("RolloutReady", True, "Available", "all pods are up to date and ready")


def _rollout(live: Object) -> Finding:
    name, status = live["metadata"]["name"], live.get("status", {})
    wanted = int(live["spec"].get("replicas", 1))
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return Finding("RolloutReady", False, "Progressing", f"Deployment {name} has just been changed")
    progress: Object = next((c for c in status.get("conditions", []) if c["type"] == "Progressing"), {})
    counts = {key: int(status.get(key, 0)) for key in ("updatedReplicas", "replicas", "availableReplicas")}
    if all(count == wanted for count in counts.values()):
        return Finding("RolloutReady", True, "Available")
    words = f"Deployment {name}: {counts['updatedReplicas']} of {wanted} pods are new, {counts['availableReplicas']} ready"
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return Finding("RolloutReady", False, "RolloutStuck", f"{words}; no progress within the deadline")
    return Finding("RolloutReady", False, "Progressing", words)


def counted(number: int, what: str) -> str:
    """A number of things in words."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


class Refusal(NamedTuple):
    """Why a route is not served."""

    reason: str
    message: str


def routes(declared: int, refused: Mapping[int, Refusal]) -> Finding:
    """Whether the gateway may serve every route; ``refused`` says why not, by index."""
    if not refused:
        return Finding("RoutesReady", True, "Accepted", counted(declared, "route"))
    text = "; ".join(f"routes[{index}]: {refusal.message}" for index, refusal in refused.items())
    return Finding("RoutesReady", False, next(iter(refused.values())).reason, text)


def route_statuses(declared: Sequence[Route], refused: Mapping[int, Refusal]) -> list[RouteStatus]:
    """Routes as the gateway reads them."""
    found = []
    for index, route in enumerate(declared):
        reason, message = refused.get(index, Refusal("Accepted", ""))
        ok = index not in refused
        found.append(RouteStatus(**dict(route), accepted=ok, reason=reason, message=message))
    return found


def job_state(live: Object | None) -> Literal["Absent", "Running", "Succeeded", "Failed"]:
    """How far a Job is."""
    if live is None:
        return "Absent"
    found = {c["type"] for c in live.get("status", {}).get("conditions", []) if c.get("status") == "True"}
    if "Complete" in found or "SuccessCriteriaMet" in found:
        return "Succeeded"
    return "Failed" if found & {"Failed", "FailureTarget"} else "Running"


def pod_trouble(pod: Object) -> str:
    """Why a pod is not ready, in words; empty when it is merely young."""
    status = pod.get("status", {})
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container.get("state", {}).get("waiting") or {}
        ended = (
            container.get("lastState", {}).get("terminated")
            or container.get("state", {}).get("terminated")
            or {}
        )
        if ended.get("exitCode"):
            last = (ended.get("message") or ended.get("reason") or "").strip().splitlines()
            return f"container {container['name']} ended with {ended['exitCode']}: {' | '.join(last[-3:])}"[
                :500
            ]
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"container {container['name']}: {waiting['reason']} {waiting.get('message', '')}".strip()[
                :500
            ]
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"not scheduled: {condition.get('message', '')}"[:500]
        if (
            condition["type"] == "ContainersReady"
            and condition["status"] == "False"
            and status.get("phase") == "Running"
        ):
            return "running, and /readyz does not answer 200"
    return ""
