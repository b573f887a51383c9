"""What a machine must offer before any work starts, and what to do where it does not.

The decision is pure: `refusals(facts, knobs)`. Facts are gathered in `machine.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bringup.knobs import Knobs

GIB = 1 << 30
DISK_FOR_BUILD = 20 * GIB
DISK_TO_GO_ON = 3 * GIB
MEMORY_FOR_CLUSTER = 10 * GIB
OLDEST_DOCKER = (20, 10)
OLDEST_GO = (1, 26)


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
    disk_free: int
    disk_path: str
    memory_free: int
    foreign_ports: dict[int, str] = field(default_factory=dict)
    """Ports of ours that somebody else than our own cluster holds: port → knob that moves it."""
    cluster_runs: bool = False
    """Our own cluster is up: its memory and disk are already taken, by us."""
    go: tuple[int, ...] | None = None
    tools_present: bool = False
    """kind, helm and kubectl are there, from an earlier run or from the machine."""


def refusals(facts: Facts, knobs: Knobs) -> list[Refusal]:
    """Every reason not to start, so that one reading is enough to mend them all."""
    found = [
        _docker_reachable(facts),
        _docker_new_enough(facts),
        _disk(facts),
        _memory(facts),
        _go(facts, knobs),
        _packages_need_root(facts, knobs),
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


def _disk(facts: Facts) -> Refusal | None:
    needed = DISK_TO_GO_ON if facts.cluster_runs else DISK_FOR_BUILD
    if facts.disk_free >= needed:
        return None
    return Refusal(
        f"{facts.disk_path} has {_gib(facts.disk_free)} free; {_gib(needed)} are needed.",
        "free some space (old images: docker image prune), or move Docker's data-root to a larger disk.",
    )


def _memory(facts: Facts) -> Refusal | None:
    if facts.cluster_runs or facts.memory_free >= MEMORY_FOR_CLUSTER:
        return None
    return Refusal(
        f"{_gib(facts.memory_free)} of memory are free; {_gib(MEMORY_FOR_CLUSTER)} are needed.",
        "stop something large, or give this machine more memory.",
    )


def _go(facts: Facts, knobs: Knobs) -> Refusal | None:
    if facts.go is not None and facts.go[:2] >= OLDEST_GO:
        return None
    if facts.tools_present and knobs.way != "packages":
        return None
    seen = f"Go {_dotted(facts.go)} is too old" if facts.go else "Go is missing"
    return Refusal(
        f"{seen}; kind, helm and Kubernetes are built with it.",
        f"install Go {_dotted(OLDEST_GO)} or newer and put it on PATH.",
    )


def _packages_need_root(facts: Facts, knobs: Knobs) -> Refusal | None:
    if knobs.way != "packages" or (facts.root and facts.apt):
        return None
    return Refusal(
        "UP_WAY=packages builds Debian images, which takes root and apt-get.",
        "run as root on Debian or Ubuntu, or set UP_WAY=registry.",
    )


def _port(port: int, knob: str) -> Refusal:
    return Refusal(
        f"Port {port} on 127.0.0.1 is taken by another program.",
        f"stop it (ss -ltnp 'sport = :{port}' names it), or choose another: {knob}=… in .env.",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
