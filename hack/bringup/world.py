"""The small living world that `make up` leaves on a machine of one's own: hack/world, run once for each cluster."""

from pathlib import Path

from bringup import paths, tools
from bringup.cluster import Cluster
from bringup.job import Job
from bringup.knobs import Knobs

LOCAL = "local"
"""The only profile that has it: elsewhere people are real."""


def is_there(cluster: Cluster, knobs: Knobs) -> str | None:
    """What says that there is nothing to do."""
    if knobs.profile != LOCAL:
        return f"not in profile {knobs.profile}"
    return "is alive" if _made(cluster).exists() else None


def make(job: Job, cluster: Cluster, knobs: Knobs) -> None:
    """Staff, learners, a price and orders, over the public API; safe to be cut off and begun again."""
    job.waiting("people to sign up, order and pay over the public API")
    command = [str(paths.VENV / "bin/python"), "-m", "world", "--url", knobs.public_url]
    environment = {**cluster.environment, "PYTHONPATH": str(paths.HACK)}
    job.run([*command, "--kubectl", tools.path("kubectl")], cwd=paths.ROOT, env=environment)
    _made(cluster).touch()


def _made(cluster: Cluster) -> Path:
    return paths.cluster_state(cluster.name) / "world-is-made"
