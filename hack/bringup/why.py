"""Why a resource or a pod is not ready, in words: pure functions over what the API server says."""

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def name_of(item: Object) -> str:
    """`namespace/name`, or the name alone for what has no namespace."""
    meta = item["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def condition(item: Object, kind: str) -> Object | None:
    """A condition by its type."""
    conditions: Sequence[Object] = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), None)


def resource_waits(item: Object) -> str | None:
    """What a resource of ours waits for; None when it is Ready as it stands now."""
    ready = condition(item, "Ready")
    if ready is None:
        return "the operator to look at it"
    if item.get("status", {}).get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return "the operator to see its last change"
    if ready["status"] == "True":
        return None
    blocking = [
        each for each in item["status"]["conditions"] if each["type"] != "Ready" and each["status"] != "True"
    ]
    return "; ".join(_told(each) for each in blocking) or _told(ready)


def pod_waits(pod: Object) -> list[str]:
    """Why a pod is not ready, one line per cause; empty when it is, or when it ran to its end."""
    if pod["metadata"].get("deletionTimestamp"):
        return []
    if pod["status"].get("phase") == "Succeeded" or _is_true(condition(pod, "Ready")):
        return []
    causes = [line for status in _containers(pod) for line in _container(status)]
    placed = condition(pod, "PodScheduled")
    if placed is not None and not _is_true(placed):
        causes.append(f"not placed: {placed.get('message', placed.get('reason', ''))}")
    if pod["status"].get("reason"):
        causes.append(f"{pod['status']['reason']}: {pod['status'].get('message', '')}")
    return causes or [f"phase {pod['status'].get('phase', 'unknown')}"]


def unready_containers(pod: Object) -> list[tuple[str, bool]]:
    """Containers whose last words are worth reading, with whether those are a previous run's."""
    return [
        (status["name"], "waiting" in status.get("state", {}) and "terminated" in status.get("lastState", {}))
        for status in _containers(pod)
        if not status.get("ready") and _has_run(status) and not _ended_well(status)
    ]


def _container(status: Object) -> list[str]:
    if status.get("ready") or _ended_well(status):
        return []
    name, state, last = status["name"], status.get("state", {}), status.get("lastState", {})
    lines = []
    if "waiting" in state:
        lines.append(f"{name} waits: {_reason(state['waiting'])}")
    elif "terminated" in state:
        lines.append(f"{name} ended: {_ending(state['terminated'])}")
    elif "running" in state:
        lines.append(f"{name} runs since {state['running'].get('startedAt', '?')} and is not ready")
    if "terminated" in last:
        lines.append(
            f"{name} ended before: {_ending(last['terminated'])}, {status.get('restartCount', 0)} restarts"
        )
    return lines


def _containers(pod: Object) -> list[Object]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _ended_well(status: Object) -> bool:
    terminated = status.get("state", {}).get("terminated")
    return terminated is not None and terminated.get("exitCode") == 0


def _has_run(status: Object) -> bool:
    state, last = status.get("state", {}), status.get("lastState", {})
    return "running" in state or "terminated" in state or "terminated" in last


def _ending(terminated: Object) -> str:
    at = f" at {terminated['finishedAt']}" if terminated.get("finishedAt") else ""
    message = f": {terminated['message'].strip()}" if terminated.get("message") else ""
    return f"{terminated.get('reason', 'unknown')} (exit {terminated.get('exitCode', '?')}){at}{message}"


def _reason(waiting: Object) -> str:
    message = waiting.get("message", "")
    return f"{waiting.get('reason', 'unknown')}{f': {message}' if message else ''}"


def _told(each: Object) -> str:
    reason = f" ({each['reason']})" if each.get("reason") else ""
    message = f": {each['message']}" if each.get("message") else ""
    return f"{each['type']}{reason}{message}"


def _is_true(each: Object | None) -> bool:
    return each is not None and each["status"] == "True"
