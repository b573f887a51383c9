"""`make down`: delete what `make up` made. Data only after asking; caches only when told to."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from bringup import clusters, docker, leftovers, locks, paths, tools, up
from bringup.cluster import Cluster
from bringup.job import Job, wait_until
from bringup.knobs import Knobs
from bringup.refusals import Refusal

NETWORK = "kind"
STOP_SECONDS = 60


def down(knobs: Knobs, *, yes: bool, purge: bool) -> bool:
    """Delete the clusters and their state; with `purge` the caches too. False when the user said no.

    Raises:
        Refusal: Docker keeps something and does not answer, or another make is at work.
    """
    with up.only_one(alone=purge):
        ours = clusters.every(knobs)
        for cluster in ours:
            locks.keep(locks.cluster(cluster.name))
        job = Job("down", logs=paths.CACHE / "logs")
        running = _reach_docker(job)
        there = [each for each in ours if running and each.state() != "absent"]
        if there and not yes and not _agreed(there):
            print("Nothing was deleted.")
            return False
        if running:
            _delete(job, there)
        tools.forget(paths.STATE)
        if purge:
            _purge(job, running=running)
    return True


def way_to_docker(*, client: bool, answers: bool, may_start: bool) -> str:
    """`none` where there is no Docker to keep anything, `ask` where it answers, `start` where it must be started.

    Raises:
        Refusal: it keeps what is to be deleted, does not answer, and may not be started by us.
    """
    if not client:
        return "none"
    if answers:
        return "ask"
    if may_start:
        return "start"
    raise Refusal(
        "Docker does not answer, so what it keeps cannot be deleted.",
        "start it (as root, make down does so itself), then run the same command again.",
    )


def _reach_docker(job: Job) -> bool:
    """Whether there is a Docker that answers; one that was stopped, by a restart say, is started."""
    way = way_to_docker(
        client=docker.client() is not None,
        answers=docker.server_version() is not None,
        may_start=os.geteuid() == 0 and docker.can_start(),
    )
    if way == "start":
        print("Starting Docker, which keeps what is to be deleted.")
        docker.start(job)
    return way != "none"


def _delete(job: Job, there: list[Cluster]) -> None:
    for cluster in there:
        cluster.delete(job)
        print(f"Deleted cluster {cluster.name} with its data.")
    if not there:
        print("There is no cluster of ours here.")
    leftovers.remove_test_containers(job)
    _remove_network(job)


def _agreed(there: list[Cluster]) -> bool:
    names = " and ".join(cluster.name for cluster in there)
    if not sys.stdin.isatty():
        print(f"This deletes cluster {names} with all data. To do so without being asked: make down yes=1")
        return False
    return input(f"Delete cluster {names} with all data? [y/N] ").strip().lower() in ("y", "yes")


def _remove_network(job: Job) -> None:
    """kind's network goes once no cluster, ours or another's, is on it."""
    asked = subprocess.run(["docker", "network", "inspect", NETWORK], capture_output=True, text=True)
    if asked.returncode == 0 and not json.loads(asked.stdout)[0]["Containers"]:
        job.run(["docker", "network", "rm", NETWORK])


def _purge(job: Job, *, running: bool) -> None:
    kept: list[str] = []
    if running:
        kept = leftovers.remove_images(job)
        _give_docker_back(job)
    tree = leftovers.tool_caches(paths.ROOT)
    for cache in (*tree, paths.VENV, paths.CACHE):
        tools.forget(cache)
    print("Deleted images, caches and the Python environment. Debian's packages stay installed.")
    if kept:
        print("Still used, so kept:\n" + "\n".join(f"  {line}" for line in kept))
    if running and leftovers.builds_with_buildkit():
        print("Docker's build cache, which other projects share, is yours to empty: docker builder prune")


def _give_docker_back(job: Job) -> None:
    """Stop the daemon that we started, unless others use it, and take our runtime out of its settings."""
    if _containers() or docker.server_version() is None:
        return
    pid = docker.started_by_us()
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    wait_until(job, lambda: f"dockerd {pid} to end" if Path(f"/proc/{pid}").exists() else None, STOP_SECONDS)
    docker.take_runtime_out()
    print("Stopped the Docker daemon that make up had started.")


def _containers() -> list[str]:
    return leftovers.lines("ps", "--all", "--quiet")
