"""`make status`, and what every failure shows: resources, addresses, and pods that are not ready and why."""

import json
import subprocess
from collections.abc import Iterator

from bringup import docker, tools, why
from bringup.cluster import Cluster
from bringup.why import Object

LOG_LINES = 8


def show(cluster: Cluster) -> bool:
    """Print the whole picture; True when nothing is wrong."""
    if reason := docker_missing(
        client=docker.client(), denied=docker.denied(), answers=docker.server_version()
    ):
        print(f"Cluster {cluster.name}: {reason}")
        return False
    state = cluster.state()
    if not cluster.is_up():
        print(f"Cluster {cluster.name}: {state}; {_advice(cluster, state)}.")
        return False
    print(f"Cluster {cluster.name}: up.\n")
    print(_read(cluster, "get", "suuupra", "--all-namespaces") or "No resources of suuupra.io yet.\n")
    print("\n".join(urls(cluster)) + "\n")
    lines = [*waiting_resources(cluster), *waiting_pods(cluster)]
    print("\n".join(lines) if lines else "Every resource and every pod is ready.")
    return not lines


def _advice(cluster: Cluster, state: str) -> str:
    if state == "absent":
        return "make up creates it"
    if state == "paused":
        return "it stands still while make test runs; make up wakes it"
    if state == "running" and not cluster.kubeconfig.exists():
        return "another checkout made it; make up takes it over, data kept"
    return "make up brings it back, data kept"


def docker_missing(*, client: object, denied: bool, answers: object) -> str | None:
    """Why nothing can be known of clusters, and what to do; None where Docker answers."""
    if answers:
        return None
    if not client:
        return "Docker is not installed here, so there is none; make up creates it."
    if denied:
        return "you may not ask Docker; run as root, or join its group: sudo usermod -aG docker $USER."
    return "Docker is not running; make up brings it and the cluster back, data kept."


def urls(cluster: Cluster) -> list[str]:
    """Where to point a browser."""
    return [
        f"  platform    http://localhost:{cluster.http_port}/",
        f"  metrics     http://localhost:{cluster.metrics_port}/",
    ]


def waiting_resources(cluster: Cluster) -> Iterator[str]:
    """One line for every resource of ours that is not Ready."""
    for kind in ("suuupraplatforms", "suuupraservices", "paymentrails"):
        for item in _items(cluster, kind, "--all-namespaces"):
            if (missing := why.resource_waits(item)) is not None:
                yield f"{item['kind']} {why.name_of(item)} waits for {missing}"


def waiting_pods(cluster: Cluster, namespace: str = "", *, words: bool = True) -> Iterator[str]:
    """Pods that are not ready, of one namespace or all: the first cause, further ones, and their last log lines."""
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    for pod in _items(cluster, "pods", *where):
        if causes := why.pod_waits(pod):
            yield f"pod {why.name_of(pod)}: {causes[0]}"
            if words:
                yield from (f"    {cause}" for cause in causes[1:])
                yield from _last_words(cluster, pod)


def _last_words(cluster: Cluster, pod: Object) -> Iterator[str]:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    for container, previous in why.unready_containers(pod):
        which = ["--previous"] if previous else []
        words = _read(
            cluster,
            "logs",
            name,
            "--namespace",
            namespace,
            "--container",
            container,
            f"--tail={LOG_LINES}",
            *which,
        )
        if words.strip():
            yield f"    last words of {container}:"
            yield from (f"      {line}" for line in words.rstrip().splitlines())


def _items(cluster: Cluster, *what: str) -> list[Object]:
    text = _read(cluster, "get", *what, "--output", "json")
    items: list[Object] = json.loads(text)["items"] if text else []
    return items


def _read(cluster: Cluster, *args: str) -> str:
    """What kubectl prints, or nothing: a half-built cluster lacks kinds and logs, and that is no error here."""
    asked = subprocess.run(
        [tools.path("kubectl"), "--kubeconfig", str(cluster.kubeconfig), "--request-timeout=10s", *args],
        capture_output=True,
        text=True,
    )
    return asked.stdout if asked.returncode == 0 else ""
