"""`make down`: delete what `make up` made. Data only after asking; caches only when told to."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bringup import debian, docker, images, node, paths, tools, up
from bringup.cluster import Cluster
from bringup.job import Job, wait_until
from bringup.knobs import Knobs

NETWORK = "kind"
LABELS = (f"label={docker.LABEL}", f"label={debian.RECIPE_LABEL}")
STOP_SECONDS = 60


def down(knobs: Knobs, *, yes: bool, purge: bool) -> bool:
    """Delete the clusters and their state; with `purge` the caches too. False when the user said no."""
    with up.only_one():
        running = docker.server_version() is not None
        clusters = [each for each in _clusters(knobs) if running and each.state() != "absent"]
        if clusters and not yes and not _agreed(clusters):
            print("Nothing was deleted.")
            return False
        job = Job("down", logs=paths.CACHE / "logs")
        for cluster in clusters:
            cluster.delete(job)
            print(f"Deleted cluster {cluster.name} with its data.")
        if running:
            _remove_network(job)
    shutil.rmtree(paths.STATE, ignore_errors=True)
    if purge:
        _purge(job, running)
    return True


def _clusters(knobs: Knobs) -> list[Cluster]:
    tests = knobs.for_tests()
    return [up.user_cluster(knobs), Cluster(tests.cluster, tests.http_port, tests.metrics_port)]


def _agreed(clusters: list[Cluster]) -> bool:
    names = " and ".join(cluster.name for cluster in clusters)
    if not sys.stdin.isatty():
        print(f"This deletes cluster {names} with all data. To do so without being asked: make down yes=1")
        return False
    return input(f"Delete cluster {names} with all data? [y/N] ").strip().lower() in ("y", "yes")


def _remove_network(job: Job) -> None:
    """kind's network goes once no cluster, ours or another's, is on it."""
    asked = subprocess.run(["docker", "network", "inspect", NETWORK], capture_output=True, text=True)
    if asked.returncode == 0 and not json.loads(asked.stdout)[0]["Containers"]:
        job.run(["docker", "network", "rm", NETWORK])


def _purge(job: Job, running: bool) -> None:
    if running:
        _remove_images(job)
        _give_docker_back(job)
    for cache in (paths.CACHE, paths.VENV):
        tools.forget(cache)
    print("Deleted images, caches and the Python environment. Debian's Docker packages stay installed.")


def _remove_images(job: Job) -> None:
    """Our images by their label, what was pulled for them, and the unnamed stages they were built through."""
    ours = [line for label in LABELS for line in _lines("images", "--filter", label, "--format", "{{.ID}}")]
    ours += [image for image in map(docker.image_id, _pulled()) if image is not None]
    stages = _unnamed_stages()
    for image in dict.fromkeys([*ours, *stages]):
        if docker.image_id(image) is not None:
            job.run(["docker", "image", "rm", "--force", image])


def _pulled() -> list[str]:
    record = paths.CACHE / "pulled"
    return record.read_text().split() if record.exists() else []


def _unnamed_stages() -> list[str]:
    """Unnamed images that start with the layers of one of our bases: left by builds of several stages."""
    bases = [_layers(reference) for reference in _lines("images", f"{images.REPOSITORY}/base", "-q")]
    bases.append(_layers(node.rootfs()))
    unnamed = _lines("images", "--filter", "dangling=true", "-q")
    return [image for image in unnamed if any(base and _layers(image)[: len(base)] == base for base in bases)]


def _layers(reference: str) -> list[str]:
    asked = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", reference],
        capture_output=True,
        text=True,
    )
    layers: list[str] = (json.loads(asked.stdout) or []) if asked.returncode == 0 else []
    return layers


def _give_docker_back(job: Job) -> None:
    """Stop the daemon that we started, unless others use it, and take our runtime out of its settings."""
    if not docker.STARTED_BY_US.exists() or _lines("ps", "--all", "-q"):
        return
    pid = int(docker.DAEMON_PID.read_text())
    os.kill(pid, signal.SIGTERM)
    wait_until(job, lambda: f"dockerd {pid} to end" if Path(f"/proc/{pid}").exists() else None, STOP_SECONDS)
    docker.take_runtime_out()
    print("Stopped the Docker daemon that make up had started.")


def _lines(*args: str) -> list[str]:
    asked = subprocess.run(["docker", *args], capture_output=True, text=True)
    return asked.stdout.split()
