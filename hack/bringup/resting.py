"""The user's cluster stands still while tests need the whole of a small machine, and goes on afterwards.

At rest it takes the better part of a core. Tests of what happens within seconds fail on a machine that has none left,
and take twice their time long before.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bringup import docker, locks
from bringup.cluster import Cluster
from bringup.refusals import Refusal


@contextmanager
def standing_still(cluster: Cluster, *, below_cores: int) -> Iterator[None]:
    """Inside, every process of the cluster is frozen where it was, if it runs and the machine has fewer cores.

    A cluster that another checkout is at work on is left alone. Whoever kills this process outright leaves it frozen:
    `make up` wakes it.
    """
    if (os.cpu_count() or 1) >= below_cores or not docker.server_version() or cluster.state() != "running":
        yield
        return
    try:
        locks.keep(locks.cluster(cluster.name))
    except Refusal:
        yield
        return
    print(
        f"Cluster {cluster.name} stands still until the tests are done, data kept: {os.cpu_count()} cores are too few "
        "for both (UP_PAUSE_BELOW_CORES=0 lets it run).",
        flush=True,
    )
    try:
        _tell_docker("pause", cluster)
        yield
    finally:
        if cluster.state() == "paused":
            _tell_docker("unpause", cluster)
        state = cluster.state()
        went_on = "goes on" if state == "running" else f"is {state}: make up brings it back, data kept"
        print(f"Cluster {cluster.name} {went_on}.", flush=True)


def _tell_docker(word: str, cluster: Cluster) -> None:
    """What Docker could not do is seen by the node's state afterwards."""
    subprocess.run(["docker", word, cluster.node], check=False, capture_output=True)
