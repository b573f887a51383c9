"""Looks at the machine: the facts that `refusals` decides on."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bringup import docker, images, paths, pins, tools
from bringup import node as kubernetes
from bringup.cluster import Cluster
from bringup.knobs import Knobs
from bringup.refusals import (
    CHECKOUT,
    IMAGES_MADE,
    IMAGES_TO_MAKE,
    PROGRAMS_BUILT,
    PROGRAMS_TO_BUILD,
    Disk,
    Facts,
    For,
    Node,
)


def look(knobs: Knobs, wanted: Sequence[Cluster]) -> Facts:
    """Gather the facts; `wanted` are the clusters whose ports this command is about to take."""
    version = docker.server_version()
    work = work_of(knobs, wanted)
    cluster = Cluster(knobs.cluster, knobs.http_port, knobs.metrics_port)
    node = node_state(cluster.state()) if version is not None else "absent"
    return Facts(
        root=os.geteuid() == 0,
        apt=shutil.which("apt-get") is not None,
        docker_client=docker.client() is not None,
        docker_server=version,
        docker_denied=version is None and docker.denied(),
        disks=disks(_wanted_room(work, answers=version is not None)),
        memory_free=memory_available(Path("/proc/meminfo").read_text()),
        work=work,
        foreign_ports=dict(
            port
            for each in wanted
            for port in foreign_ports(each, each.held_ports() if version is not None else ())
        ),
        moved_ports=cluster.moved_ports() if work == "up" and node != "absent" else (),
        node=node,
        go=go_version(),
        go_builds=tuple(_go_builds(knobs, work)),
        missing_for_tests={} if work == "up" else missing_for_tests(work),
    )


def foreign_ports(cluster: Cluster, held: Collection[int]) -> Iterator[tuple[int, str]]:
    """Ports that others than its own node, which holds `held`, have, each with the knob that moves it."""
    yield from ((port, knob) for port, knob in cluster.ports.items() if port not in held and taken(port))


def work_of(knobs: Knobs, wanted: Sequence[Cluster]) -> For:
    """What is asked for: the user's cluster, the tests' own, or tests that need none."""
    if not wanted:
        return "fast test"
    return "test" if knobs.cluster == knobs.test_cluster else "up"


def node_state(told: str) -> Node:
    """Docker's word for a container's state in ours. One that stands still has its memory and its ports."""
    if told == "absent":
        return "absent"
    return "running" if told in ("running", "paused") else "stopped"


def disks(wanted: Iterable[tuple[Path, int, str]]) -> tuple[Disk, ...]:
    """The file systems below these folders, each once with all that is wanted of it, named by the first."""
    found: dict[int, Disk] = {}
    for path, needed, fix in wanted:
        there = next(each for each in (path, *path.parents) if each.exists())
        before = found.get(there.stat().st_dev)
        first = before or Disk(str(there), shutil.disk_usage(there).free, 0, fix)
        found[there.stat().st_dev] = replace(first, needed=first.needed + needed)
    return tuple(found.values())


def _wanted_room(work: For, *, answers: bool) -> Iterator[tuple[Path, int, str]]:
    pulled = answers and docker.image_id(pins.PUBLISHED_NODE) is not None
    made = answers and (pulled or kubernetes.is_made())
    small = work == "fast test"
    images = IMAGES_MADE if made or small else IMAGES_TO_MAKE
    built = tools.are_built() and (made or kubernetes.kubernetes_is_built())
    programs = PROGRAMS_BUILT if built or small else PROGRAMS_TO_BUILD
    yield (
        docker.data_root(),
        images,
        "free some space (old images: docker image prune), or move Docker's data-root to a larger disk.",
    )
    yield paths.CACHE, programs, "free some space, or set XDG_CACHE_HOME to a folder on a larger disk."
    yield paths.ROOT, CHECKOUT, "free some space, or clone the project to a larger disk."


def _go_builds(knobs: Knobs, work: For) -> Iterator[str]:
    """Programs that neither the cache nor the machine has. Without a cluster, helm alone is run."""
    wanted = ("helm",) if work == "fast test" else ("kind", "helm", "kubectl")
    yield from (tool for tool in wanted if not (paths.BIN / tool).exists() and not shutil.which(tool))
    if work != "fast test":
        yield from images.programs_to_compile(knobs)


def programs_of_tests(work: For) -> dict[str, str]:
    """What tests run, each in the Debian package of its name: package → the checks that need it."""
    everywhere = {"curl": "the gateway's checks"}
    if work == "fast test":
        return everywhere
    return {**everywhere, "chromium": "the journeys", "npm": "the journeys"}


def missing_for_tests(work: For) -> dict[str, str]:
    """Those of them that are not here."""
    return {name: why for name, why in programs_of_tests(work).items() if shutil.which(name) is None}


def memory_available(meminfo: str) -> int:
    """Bytes the kernel says can be had without swapping."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def taken(port: int) -> bool:
    """Whether another program listens on 127.0.0.1:port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:  # a port below 1024: Docker may have it, so only whether it answers counts
            return probe.connect_ex(("127.0.0.1", port)) == 0
        except OSError:
            return True
    return False


def go_version() -> tuple[int, ...] | None:
    """Version of the Go on PATH; its own, not one it would download."""
    if shutil.which("go") is None:
        return None
    asked = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, cwd="/")
    return docker.parse_version(asked.stdout)
