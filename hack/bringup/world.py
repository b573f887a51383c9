"""The small living world that `make up` leaves on a machine of one's own: hack/world, made once for each cluster and
kept as it was left, with an order that waits to be paid. What has come to hack/world since is made too."""

from datetime import UTC, datetime
from pathlib import Path

from bringup import hashing, paths, tools
from bringup.cluster import Cluster
from bringup.job import Job
from bringup.knobs import Knobs

LOCAL = "local"
"""The only profile that has it: elsewhere people are real."""


def is_there(cluster: Cluster, knobs: Knobs) -> str | None:
    """What says that there is nothing to do."""
    if knobs.profile != LOCAL:
        return f"not in profile {knobs.profile}"
    made = _made(cluster)
    return "is alive" if made.exists() and waits(made.read_text(), datetime.now(UTC)) else None


def waits(until: str, now: datetime) -> bool:
    """Whether the order that waits to be paid still does. `until`: as `world` has written it, ISO 8601 or empty."""
    return bool(until) and datetime.fromisoformat(until) > now


def make(job: Job, cluster: Cluster, knobs: Knobs) -> None:
    """Staff, learners, courses, prices and orders, over the public API; safe to be cut off and begun again.

    Where all that is there, only an order that expired is followed by another.
    """
    made = _made(cluster)
    job.waiting("people to sign up, order and pay over the public API")
    command = [str(paths.VENV / "bin/python"), "-m", "world", "--url", knobs.public_url, "--until", str(made)]
    renewed = ["--renew"] if made.exists() else []
    environment = {**cluster.environment, "PYTHONPATH": str(paths.HACK)}
    job.run([*command, *renewed, "--kubectl", tools.path("kubectl")], cwd=paths.ROOT, env=environment)


def _made(cluster: Cluster) -> Path:
    """Written when this world is whole, as the tree describes it: until when the order that waits to be paid does so."""
    described = hashing.digest_tree(hashing.tree(paths.HACK / "world"))
    return paths.cluster_state(cluster.name) / f"world-{described}-is-made"
