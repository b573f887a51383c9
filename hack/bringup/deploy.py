"""What is put on a cluster that answers: namespaces, the two charts, the platform, the services."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bringup import paths, status
from bringup.cluster import Cluster
from bringup.job import CommandFailed, Job, NotReady
from bringup.knobs import Knobs

MANIFESTS = paths.ROOT / "manifests"
SERVICES = MANIFESTS / "services"
RAILS = MANIFESTS / "rails"
INFRA, OPERATOR = "suuupra-infra", "suuupra"
NAMESPACE_OF = {INFRA: "suuupra-infra", OPERATOR: "suuupra-system"}
WORKLOADS = "suuupra"
FIELD_MANAGER = "bring-up"
HELM_TIMEOUT = "5m"
LOOK_SECONDS = 3
CRDS = tuple(f"{plural}.suuupra.io" for plural in ("suuupraplatforms", "suuupraservices", "paymentrails"))


def namespaces(job: Job, cluster: Cluster) -> None:
    """Apply the three namespaces."""
    _apply(job, cluster, "-f", str(MANIFESTS / "namespaces.yaml"))


def release(job: Job, cluster: Cluster, name: str, tags: Mapping[str, str]) -> None:
    """Install or upgrade a chart with these image tags, and wait until its workloads are there.

    Run every time: an upgrade with nothing new takes seconds and puts back what was deleted by hand.
    """
    namespace = NAMESPACE_OF[name]
    _forget_interrupted(job, cluster, name)
    values = paths.cluster_state(cluster.name) / f"values-{name}.json"
    values.parent.mkdir(parents=True, exist_ok=True)
    values.write_text(json.dumps({"images": {"repository": "suuupra", "tags": dict(tags)}}, indent=2) + "\n")
    job.waiting(f"helm to install chart {name}")
    with _saying_which_pod_waits(job, cluster, namespace):
        cluster.helm(
            job,
            *("upgrade", "--install", name, str(paths.ROOT / "charts" / name), "--namespace", namespace),
            *("--values", str(values), "--history-max", "3", "--wait", "--timeout", HELM_TIMEOUT),
        )


def platform(job: Job, cluster: Cluster, knobs: Knobs, pins: Mapping[str, str]) -> None:
    """Apply manifests/platform.yaml with this machine's images, URL and profile in it."""
    for crd in CRDS:
        cluster.kubectl(job, "wait", "--for=condition=Established", "--timeout=60s", f"crd/{crd}")
    spec = {
        "profile": knobs.profile,
        "publicURL": knobs.public_url,
        "images": {"pins": dict(pins)},
        "auth": {"issuer": knobs.public_url},
    }
    merged = cluster.kubectl(
        job,
        *("patch", "--local", "--type=merge", "--output=json", f"--patch={json.dumps({'spec': spec})}"),
        *("--filename", str(MANIFESTS / "platform.yaml")),
    )
    _apply(job, cluster, "-f", "-", stdin=merged)


def services(job: Job, cluster: Cluster) -> None:
    """Apply every resource of manifests/services, and the rails, which bring services of their own."""
    _apply(job, cluster, "--recursive", "-f", str(SERVICES), "-f", str(RAILS))


def _apply(job: Job, cluster: Cluster, *args: str, stdin: str | None = None) -> None:
    """Server-side apply. Bring-up owns what the manifests say, so a hand-edit of those fields is taken back."""
    told = cluster.kubectl(
        job,
        "apply",
        "--server-side",
        "--force-conflicts",
        f"--field-manager={FIELD_MANAGER}",
        *args,
        stdin=stdin,
    )
    job.note(told)


def _forget_interrupted(job: Job, cluster: Cluster, name: str) -> None:
    """Drop the record of a helm run that was cut off: helm refuses to go on over it, and adopts what it had made."""
    namespace = NAMESPACE_OF[name]
    try:
        release = json.loads(cluster.helm(job, "status", name, "--namespace", namespace, "--output", "json"))
    except CommandFailed:
        return  # no release yet
    if release["info"]["status"].startswith("pending-"):
        job.say(f"        an earlier run was cut off while installing {name}: going on from there")
        record = f"secret/sh.helm.release.v1.{name}.v{release['version']}"
        cluster.kubectl(job, "delete", record, "--namespace", namespace)


@contextmanager
def _saying_which_pod_waits(job: Job, cluster: Cluster, namespace: str) -> Iterator[None]:
    """While helm waits without a word, say what for; when it gave up, say what the pods said."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            first = next(status.waiting_pods(cluster, namespace, words=False), None)
            if first is not None:
                job.waiting(first)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    except CommandFailed as failure:
        told = "\n".join(status.waiting_pods(cluster, namespace))
        raise NotReady(f"{failure}\n{told}") from failure
    finally:
        over.set()
        watcher.join()
