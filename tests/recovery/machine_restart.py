"""A restarted machine is brought back by `make up`, data kept: done for real, on a machine that runs nothing else.

    make up
    make drill name=machine_restart yes=1

First everything of Docker's is killed at once, as when the power goes, with its pid files left lying about. Then only
the node is stopped, and another container takes its address. After each, `make up`, `make status` and what was left
in every backing server have to be well. Prints the times; exit code 1 and a traceback when something was not kept.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bringup import clusters, docker, paths
from bringup.cluster import Cluster
from bringup.knobs import load
from bringup.tools import path as tool

from ..cluster.kube import Kube, eventually
from ..cluster.test_backing_servers import Keepsakes

DAEMONS = ("dockerd", "containerd", "containerd-shim")
GONE_SECONDS = 30
MOST_TENANTS = 32


def main() -> None:
    """Both restarts, one after the other."""
    knobs = load(paths.ROOT, os.environ)
    cluster = clusters.of_user(knobs)
    refuse_where_it_would_hurt(cluster)
    kept = Keepsakes(Kube(Path(tool("kubectl")), cluster.kubeconfig), f"kept-{uuid.uuid4().hex[:8]}")
    kept.leave()
    try:
        times = {
            "everything of Docker killed": brought_back(kill_docker, kept),
            "node stopped, its address taken": moved(cluster, kept),
        }
    finally:
        kept.take_away()
    for what, seconds in times.items():
        print(f"{what}: Ready again after {seconds:.0f} s, data kept")


def refuse_where_it_would_hurt(cluster: Cluster) -> None:
    """Stop here unless asked for, as root, with nothing of anybody else's in Docker."""
    others = set(docker_says("ps", "--format", "{{.Names}}").split()) - {cluster.node}
    if "--yes" not in sys.argv or os.geteuid() != 0:
        sys.exit("This kills Docker with all its containers. As root, and to say that you mean it: yes=1")
    if Path("/run/systemd/system").exists():
        sys.exit("systemd would start Docker again at once: restart the machine itself, then make up.")
    if others:
        sys.exit(f"Other containers run and would be killed: {', '.join(sorted(others))}")
    if make("status") != 0:
        sys.exit("The platform is not well to begin with: make up, then make status.")


def brought_back(strike: Callable[[], None], kept: Keepsakes) -> float:
    """Seconds that `make up` takes after `strike`; everything has to be there again."""
    strike()
    began = time.monotonic()
    assert make("up") == 0, "make up failed"
    seconds = time.monotonic() - began
    assert make("status") == 0, "something is not well after make up"
    kept.check()
    return seconds


def kill_docker() -> None:
    """Kill the daemons, so that none restarts anything, then every container; pid files stay."""
    inits = docker_says("inspect", "--format", "{{.State.Pid}}", *docker_says("ps", "-q").split()).split()
    struck = [*daemons(), *(int(pid) for pid in inits)]
    for pid in struck:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in struck), GONE_SECONDS, "all that was killed to be gone")
    assert docker.DAEMON_PID.exists(), "a daemon that is killed leaves its pid file"
    assert docker.server_version() is None


def moved(cluster: Cluster, kept: Keepsakes) -> float:
    """Seconds to come back at another address."""
    before = address(cluster)
    docker_says("stop", cluster.node)
    with taken(before):
        seconds = brought_back(lambda: None, kept)
        assert address(cluster) != before
    return seconds


@contextmanager
def taken(wanted: str) -> Iterator[None]:
    """Start containers on kind's network until one has the address; they go when the block is left."""
    image = docker_says("images", "suuupra/base", "--format", "{{.Repository}}:{{.Tag}}").split()[0]
    tenants: list[str] = []
    try:
        while not any(address_of(tenant) == wanted for tenant in tenants):
            assert len(tenants) < MOST_TENANTS, f"nobody was given {wanted}"
            tenants.append(
                docker_says("run", "--detach", "--network", "kind", image, "sleep", "infinity").strip()
            )
        yield
    finally:
        docker_says("rm", "--force", *tenants)


def daemons() -> list[int]:
    """Docker's own processes, the one that starts others first."""
    names = {int(comm.parent.name): comm.read_text().strip() for comm in Path("/proc").glob("[0-9]*/comm")}
    ours = {pid: name for pid, name in names.items() if name.startswith(DAEMONS) and on_this_machine(pid)}
    return sorted(ours, key=lambda pid: (ours[pid] != "dockerd", pid))


def on_this_machine(pid: int) -> bool:
    """Not within a container: the node runs a containerd too."""
    return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def address(cluster: Cluster) -> str:
    return address_of(cluster.node)


def address_of(container: str) -> str:
    networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker_says("inspect", "--format", networks, container).strip()


def docker_says(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


def make(verb: str) -> int:
    return subprocess.call(["make", "--silent", verb], cwd=paths.ROOT)


if __name__ == "__main__":
    main()
