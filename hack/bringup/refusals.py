"""What a machine must offer before any work starts, and what to do where it does not.

The decision is pure: `refusals(facts, knobs)`. Facts are gathered in `machine.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bringup.knobs import Knobs

GIB = 1 << 30
IMAGES_TO_MAKE, IMAGES_MADE = 9 * GIB, 3 * GIB
"""What Docker's disk needs: to make every image, and to go on with those that are there."""
PROGRAMS_TO_BUILD, PROGRAMS_BUILT = 10 * GIB, 1 * GIB
"""What the cache's disk needs: Go's own caches while Kubernetes compiles, and a little."""
CHECKOUT = 1 * GIB
"""Logs, the Python environment. On one disk these three are the 20 GiB of a fresh machine, and 5 later."""
MEMORY_FOR_CLUSTER = 10 * GIB
MEMORY_TO_RETURN = 4 * GIB
"""For the stopped node of a platform at rest."""
MEMORY_BESIDE = 6 * GIB
"""For the tests' cluster, which holds the same at rest for a while."""
MEMORY_FOR_SERVERS = 2 * GIB
"""For the servers that tests without a cluster start."""
OLDEST_DOCKER = (20, 10)
OLDEST_GO = (1, 26)


Node = Literal["absent", "stopped", "running"]
For = Literal["up", "test", "fast test"]


class Refusal(Exception):
    """A reason not to start, and what the user can do about it."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason}\n    → {fix}")
        self.reason = reason
        self.fix = fix

    @staticmethod
    def several(refusals: "Sequence[Refusal]") -> "Refusal":
        """All of them as one, in their order."""
        *others, last = refusals
        return Refusal("\n  ".join([*map(str, others), last.reason]), last.fix)


@dataclass(frozen=True)
class Facts:
    """What was seen on this machine; sizes in bytes."""

    root: bool
    apt: bool
    docker_client: bool
    docker_server: tuple[int, ...] | None
    """Version of the daemon that answers, or None."""
    docker_denied: bool
    """A daemon listens, and this user may not speak to it."""
    disks: tuple["Disk", ...]
    memory_free: int
    work: For = "up"
    foreign_ports: dict[int, str] = field(default_factory=dict)
    """Ports of ours that somebody else than our own cluster holds: port → knob that moves it."""
    moved_ports: tuple["MovedPort", ...] = ()
    """Ports that our own cluster was made with, and that the knobs say otherwise now."""
    node: Node = "absent"
    """The node of the cluster asked for: one that runs has its memory already."""
    go: tuple[int, ...] | None = None
    go_builds: tuple[str, ...] = ()
    """Programs that are not there, and that only Go can give."""
    missing_for_tests: Mapping[str, str] = field(default_factory=dict)
    """Programs that tests run and this machine lacks: Debian's package → the checks that need it."""


@dataclass(frozen=True)
class Disk:
    """A file system: where, how much is free, how much is needed, in bytes."""

    path: str
    free: int
    needed: int
    fix: str


@dataclass(frozen=True)
class MovedPort:
    """A port of a cluster that exists, by its knob."""

    cluster: str
    knob: str
    made_with: int | None
    wanted: int


def refusals(facts: Facts, knobs: Knobs) -> list[Refusal]:
    """Every reason not to start, so that one reading is enough to mend them all."""
    found = [
        _docker_reachable(facts),
        _docker_new_enough(facts),
        *(_disk(disk) for disk in facts.disks),
        _memory(facts),
        _go(facts, knobs),
        _packages_way(facts, knobs),
        _tests(facts),
        *(_moved(port) for port in facts.moved_ports),
        *(_port(port, knob) for port, knob in sorted(facts.foreign_ports.items())),
    ]
    return [refusal for refusal in found if refusal is not None]


def _docker_reachable(facts: Facts) -> Refusal | None:
    if facts.docker_server is not None:
        return None
    if facts.docker_denied:
        return Refusal(
            "Docker runs here, but you may not use it.",
            "run as root, or join its group: sudo usermod -aG docker $USER, then log in again.",
        )
    if not facts.root:
        return Refusal(
            "No Docker answers, and only root can install or start it.",
            "start Docker yourself, or run as root: sudo make up.",
        )
    if not facts.docker_client and not facts.apt:
        return Refusal(
            "Docker is missing, and this machine has no apt-get to install it with.",
            "install Docker 20.10 or newer, then run make up again.",
        )
    return None


def _docker_new_enough(facts: Facts) -> Refusal | None:
    version = facts.docker_server
    if version is None or version[:2] >= OLDEST_DOCKER:
        return None
    return Refusal(
        f"Docker {_dotted(version)} is too old.", f"upgrade Docker to {_dotted(OLDEST_DOCKER)} or newer."
    )


def memory_needed(facts: Facts) -> int:
    """Bytes that have to be free for this work on this machine as it stands."""
    if facts.work == "fast test":
        return MEMORY_FOR_SERVERS
    if facts.node == "running":
        return 0
    if facts.work == "test":
        return MEMORY_BESIDE
    return MEMORY_TO_RETURN if facts.node == "stopped" else MEMORY_FOR_CLUSTER


def packages_way(*, root: bool, apt: bool, go: tuple[int, ...] | None, why: str) -> Refusal | None:
    """Why everything cannot be made from packages here; `why` says how that way came to be taken."""
    if not (root and apt):
        return Refusal(
            f"{why}, and making Debian's images from packages takes root and apt-get.",
            "run as root on Debian or Ubuntu, or give Docker a registry it can reach (registry-mirrors).",
        )
    if go is None or go[:2] < OLDEST_GO:
        return Refusal(
            f"{why}, and Kubernetes is compiled with Go {_dotted(OLDEST_GO)} or newer; {_seen(go)}.", _GO_FIX
        )
    return None


def machine_kind(system: str, processor: str) -> Refusal | None:
    """Pinned programs are Linux's for x86_64; elsewhere they would fail in the middle."""
    if (system, processor) == ("Linux", "x86_64"):
        return None
    return Refusal(
        f"This is {system} on {processor}; Suuupra comes up on Linux on x86_64.",
        "use such a machine, or a virtual one with 4 processors and 12 GiB (on a Mac: Lima or UTM).",
    )


def _disk(disk: Disk) -> Refusal | None:
    if disk.free >= disk.needed:
        return None
    return Refusal(f"{disk.path} has {_gib(disk.free)} free; {_gib(disk.needed)} are needed.", disk.fix)


def _memory(facts: Facts) -> Refusal | None:
    needed = memory_needed(facts)
    if facts.memory_free >= needed:
        return None
    beside = "stop the other cluster while tests run (docker stop NAME-control-plane; make up brings it back)"
    return Refusal(
        f"{_gib(facts.memory_free)} of memory are free; {_gib(needed)} are needed.",
        f"{beside if facts.work == 'test' else 'stop something large'}, or give this machine more memory.",
    )


def _go(facts: Facts, knobs: Knobs) -> Refusal | None:
    if facts.go is not None and facts.go[:2] >= OLDEST_GO:
        return None
    if not facts.go_builds or knobs.way == "packages":
        return None
    return Refusal(f"{_seen(facts.go)}; {', '.join(facts.go_builds)} are built with it.", _GO_FIX)


def _packages_way(facts: Facts, knobs: Knobs) -> Refusal | None:
    if knobs.way != "packages":
        return None
    return packages_way(root=facts.root, apt=facts.apt, go=facts.go, why="UP_WAY=packages is set")


def _tests(facts: Facts) -> Refusal | None:
    if not facts.missing_for_tests or (facts.root and facts.apt):
        return None
    lacking = "; ".join(f"{package} for {checks}" for package, checks in facts.missing_for_tests.items())
    return Refusal(
        f"Tests need programs that are not here: {lacking}.",
        "install them (those are Debian's names), or run as root on Debian, where make test does so.",
    )


def _moved(port: MovedPort) -> Refusal:
    return Refusal(
        f"Cluster {port.cluster} was made with port {port.made_with}, and {port.knob} is {port.wanted} now.",
        f"set {port.knob}={port.made_with}, or delete the cluster with its data and make it anew:"
        " make down, then make up.",
    )


def _port(port: int, knob: str) -> Refusal:
    return Refusal(
        f"Port {port} on 127.0.0.1 is taken by another program.",
        f"stop it (ss -ltnp 'sport = :{port}' names it), or choose another: {knob}=… in .env.",
    )


_GO_FIX = f"install Go {'.'.join(map(str, OLDEST_GO))} or newer and put it on PATH."


def _seen(go: tuple[int, ...] | None) -> str:
    return f"Go {_dotted(go)} is too old" if go else "Go is missing"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
