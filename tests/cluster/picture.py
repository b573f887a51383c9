"""What a person would look at first when a cluster test failed, as text for the test's report."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

from .kube import INFRA, SYSTEM, WORKLOADS, Kube

LOG_LINES = 30


def conditions(kube: Kube) -> Iterator[str]:
    for resource in (*kube.items("paymentrails"), *kube.items("suuupraservices")):
        yield f"{resource['metadata']['name']}:"
        for found in resource.get("status", {}).get("conditions", []):
            yield f"  {found['type']}={found['status']} {found.get('reason', '')}: {found.get('message', '')}"


def unwell(pod: dict[str, Any]) -> bool:
    statuses = pod["status"].get("containerStatuses", [])
    finished = pod["status"].get("phase") == "Succeeded"
    return not finished and (not statuses or any(not one["ready"] or one["restartCount"] for one in statuses))


def last_words(kube: Kube, namespace: str, pod: str) -> Iterator[str]:
    yield f"--- {namespace}/{pod}"
    for previous in ("--previous=true", "--previous=false"):
        logs = kube.run(
            "logs", "-n", namespace, pod, f"--tail={LOG_LINES}", "--all-containers", previous, check=False
        )
        yield logs.stdout or logs.stderr


def shown(kube: Kube) -> str:
    """The picture, or why there is none: a report must not fail because its subject is away."""
    try:
        return picture(kube)
    except subprocess.SubprocessError as error:
        return f"the cluster could not be asked: {error}"


def picture(kube: Kube) -> str:
    lines = list(conditions(kube))
    for namespace in (WORKLOADS, INFRA, SYSTEM):
        for pod in kube.items("pods", namespace=namespace):
            if unwell(pod):
                lines += last_words(kube, namespace, pod["metadata"]["name"])
    return "\n".join(lines)
