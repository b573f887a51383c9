"""What a person with a reload button does, and what a failing node does."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Container, Iterator
from typing import Any

import httpx

from .kube import SYSTEM, WORKLOADS, Kube, eventually

PATIENCE_SECONDS = 120.0
"""How long somebody keeps trying: longer than any single outage."""
RETRY_SECONDS = 0.5
BACK_WITHIN = 120.0
DIES_WITHIN = 30.0
"""From the signal to the pod's status that tells of it."""
KILLED = 128 + signal.SIGKILL
"""What a container ends with whose main process was killed; one that was asked to stop ends with something else."""


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


def kill(kube: Kube, namespace: str, *pods: str) -> None:
    """As a failing node does it, no goodbye: SIGKILL to the main process of each container; returns when it is known.

    Deleting a pod, even by force, sends the stop signal first: a server would use it to shut down in good order.
    """
    struck = [
        (pod["spec"]["nodeName"], container)
        for pod in kube.items("pods", namespace=namespace)
        if pod["metadata"]["name"] in pods
        for container in running(pod)
    ]
    assert struck, f"nothing runs in {pods}"
    for node, container in struck:
        sigkill(node, container)
    eventually(
        lambda: {container for _, container in struck} <= set(killed(kube, namespace)),
        DIES_WITHIN,
        f"the status of {pods} tells of a death by SIGKILL",
    )


def running(pod: dict[str, Any]) -> Iterator[str]:
    """Ids of a pod's containers that run."""
    for one in pod["status"].get("containerStatuses", []):
        if "running" in one["state"]:
            yield one["containerID"].removeprefix("containerd://")


def killed(kube: Kube, namespace: str) -> Iterator[str]:
    """Ids of containers that ended by SIGKILL, of those that ended last in their place."""
    for pod in kube.items("pods", namespace=namespace):
        for one in pod["status"].get("containerStatuses", []):
            for state in (one["state"], one["lastState"]):
                if state.get("terminated", {}).get("exitCode") == KILLED:
                    yield state["terminated"]["containerID"].removeprefix("containerd://")


def sigkill(node: str, container: str) -> None:
    """The node is a container of kind's; its own containerd sends the signal, past Kubernetes."""
    send = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)
    subprocess.run(["docker", "exec", node, *send], check=True, capture_output=True, text=True, timeout=60)


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
    """Every pod of a SuuupraService at once; back when as many are ready again."""
    before = pods_of(kube, resource)
    kill(kube, WORKLOADS, *before)

    def back() -> bool:
        now = pods_of(kube, resource)
        return len(now) >= len(before) and all(now.values())

    eventually(back, BACK_WITHIN, f"all pods of {resource} are ready again")


def leaders(kube: Kube) -> set[str]:
    """Who holds a Lease of the operator's. Each process has a name of its own, also when it restarts in its pod."""
    leases = kube.items("leases", namespace=SYSTEM)
    return {lease["spec"]["holderIdentity"] for lease in leases if lease["spec"].get("holderIdentity")}


def kill_operator(kube: Kube) -> set[str]:
    """Every operator at once; who led."""
    led = leaders(kube)
    pods = kube.items("pods", "-l", "app.kubernetes.io/name=suuupra-operator", namespace=SYSTEM)
    kill(kube, SYSTEM, *(pod["metadata"]["name"] for pod in pods))
    return led


def await_operator(kube: Kube, led: set[str]) -> None:
    """Until a process that was not killed leads."""
    eventually(lambda: leaders(kube) - led, BACK_WITHIN, f"another operator leads than {led}")
