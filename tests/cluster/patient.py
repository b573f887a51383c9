"""What a person with a reload button does, and what a failing node does."""

from __future__ import annotations

import time
from collections.abc import Container
from typing import Any

import httpx

from .kube import SYSTEM, WORKLOADS, Kube, eventually

PATIENCE_SECONDS = 120.0
"""How long somebody keeps trying: longer than any single outage."""
RETRY_SECONDS = 0.5
BACK_WITHIN = 120.0


def insist(
    browser: httpx.Client, method: str, path: str, wanted: Container[int], **sent: Any
) -> httpx.Response:
    """Ask until the answer's status is one of `wanted`, the same each time; that answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    last = "nothing"
    while time.monotonic() < deadline:
        try:
            answer = browser.request(method, path, **sent)
        except httpx.TransportError as error:
            last = repr(error)
        else:
            if answer.status_code in wanted:
                return answer
            last = f"{answer.status_code} {answer.text[:200]}"
        time.sleep(RETRY_SECONDS)
    raise AssertionError(f"{method} {path} was never answered with {wanted}; last: {last}")


def kill(kube: Kube, pod: str, namespace: str) -> None:
    """As a failing node does it: no goodbye."""
    kube.delete("pod", pod, "--force", "--grace-period=0", namespace=namespace)


def await_pod(kube: Kube, pod: str, namespace: str) -> None:
    """Until a pod of that name is there again and ready."""

    def ready() -> bool:
        found = kube.get("pod", pod, namespace=namespace) or {}
        return any(one["ready"] for one in found.get("status", {}).get("containerStatuses", []))

    eventually(ready, BACK_WITHIN, f"{pod} is ready again")


def pods_of(kube: Kube, resource: str) -> dict[str, bool]:
    """Every pod of a SuuupraService, and whether it is ready."""
    return {
        pod["metadata"]["name"]: all(
            one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": False}])
        )
        for pod in kube.items("pods", "-l", f"app.kubernetes.io/instance={resource}")
        if pod["status"].get("phase") in ("Running", "Pending")
    }


def kill_all(kube: Kube, resource: str) -> None:
    """Every pod of a SuuupraService at once; back when others are there in their place, all ready."""
    gone = pods_of(kube, resource)
    for pod in gone:
        kill(kube, pod, WORKLOADS)

    def back() -> bool:
        now = pods_of(kube, resource)
        return len(now) >= len(gone) and not gone.keys() & now.keys() and all(now.values())

    eventually(back, BACK_WITHIN, f"{resource} has new pods")


def operator_pods(kube: Kube) -> list[str]:
    pods = kube.items("pods", "-l", "app.kubernetes.io/name=suuupra-operator", namespace=SYSTEM)
    return [pod["metadata"]["name"] for pod in pods]


def kill_operator(kube: Kube) -> list[str]:
    """Every operator at once; which those were."""
    gone = operator_pods(kube)
    for pod in gone:
        kill(kube, pod, SYSTEM)
    return gone


def await_operator(kube: Kube, gone: list[str]) -> None:
    """Until a pod that was not killed holds a Lease of the operator's."""

    def leads() -> bool:
        alive = [pod for pod in operator_pods(kube) if pod not in gone]
        leases = kube.items("leases", namespace=SYSTEM)
        holders = [lease["spec"].get("holderIdentity", "") for lease in leases]
        return any(holder.startswith(pod) for holder in holders for pod in alive)

    eventually(leads, BACK_WITHIN, "a new operator leads")
