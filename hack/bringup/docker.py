"""Docker on this machine: asked, installed, started, and put right after a restart."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from bringup import apt, paths, processes
from bringup.job import Job, wait_until

PACKAGES = ("docker.io", "containerd", "runc", "iptables", "iproute2")
SOCKET = Path("/var/run/docker.sock")
DAEMON_LOG = paths.CACHE / "docker" / "dockerd.log"
DAEMON_PID = Path("/var/run/docker.pid")
CONTAINERD_PID = Path("/run/docker/containerd/containerd.pid")
"""Of the containerd that dockerd starts for itself."""
DAEMON_JSON = Path("/etc/docker/daemon.json")
RUNTIME = Path("/usr/local/sbin/runc-within-bounds")
RUNTIME_NAME = "within-bounds"
STARTED_BY_US = paths.CACHE / "docker" / "started-by-us"
LABEL = "suuupra.image=yes"
"""On every image made here, so that it can be found again and removed."""
CAP_SYS_RESOURCE = 24
"""Bit number, from linux/capability.h."""
START_SECONDS = 60


def client() -> str | None:
    """Path of the docker command, if there is one."""
    return shutil.which("docker")


def server_version() -> tuple[int, ...] | None:
    """Version of the daemon that answers the docker command, or None."""
    if client() is None:
        return None
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True
    )
    return parse_version(asked.stdout) if asked.returncode == 0 else None


def denied() -> bool:
    """True where a daemon listens and this user has no right to its socket."""
    return SOCKET.exists() and not os.access(SOCKET, os.R_OK | os.W_OK)


def parse_version(text: str) -> tuple[int, ...] | None:
    """`20.10.24+dfsg1` → (20, 10, 24)."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in match.groups() if part is not None) if match else None


def data_root() -> Path:
    """Where Docker keeps images, or would: the disk that has to have room."""
    asked = subprocess.run(
        ["docker", "info", "--format", "{{.DockerRootDir}}"], capture_output=True, text=True
    )
    named = asked.stdout.strip() if client() and asked.returncode == 0 else ""
    return next(path for path in map(Path, (named or "/var/lib/docker", "/var/lib", "/")) if path.exists())


def why_nothing_to_do() -> str | None:
    """For step `docker`: a daemon answers already."""
    version = server_version()
    return f"{'.'.join(map(str, version))} answers" if version else None


def install_and_start(job: Job) -> None:
    """From no Docker at all, or a stopped one, to a daemon that answers."""
    install(job)
    start(job)


def install(job: Job) -> None:
    """Install Debian's Docker where there is none."""
    if shutil.which("dockerd"):
        return
    apt.install(job, PACKAGES)


def start(job: Job) -> None:
    """Bring a daemon up: by systemd where that runs the machine, detached by hand elsewhere."""
    fit_runtime_to_capabilities(job)
    if Path("/run/systemd/system").exists():
        job.run(["systemctl", "enable", "--now", "docker"])
    else:
        _start_detached(job)
    wait_until(job, _daemon_missing, START_SECONDS)


def can_start() -> bool:
    """Whether there is a daemon on this machine to be started, rather than one elsewhere."""
    return shutil.which("dockerd") is not None


def started_by_us() -> int | None:
    """The daemon we started, if that very process still runs."""
    told = STARTED_BY_US.read_text().split() if STARTED_BY_US.exists() else []
    if len(told) != 2 or processes.started(int(told[0])) != told[1]:
        return None
    return int(told[0])


def fit_runtime_to_capabilities(job: Job) -> None:
    """Where root lacks CAP_SYS_RESOURCE, make Docker's default runtime drop it from what it asks for."""
    if has_capability(CAP_SYS_RESOURCE, Path("/proc/self/status").read_text()):
        return
    job.say(
        "        this machine's root lacks CAP_SYS_RESOURCE: Docker gets a runtime that does not ask for it"
    )
    shutil.copy2(paths.HACK / "runtime" / RUNTIME.name, RUNTIME)
    settings = json.loads(DAEMON_JSON.read_text()) if DAEMON_JSON.exists() else {}
    if "default-runtime" in settings:
        return
    DAEMON_JSON.parent.mkdir(parents=True, exist_ok=True)
    DAEMON_JSON.write_text(json.dumps(with_runtime(settings), indent=2) + "\n")


def with_runtime(settings: dict[str, object]) -> dict[str, object]:
    """Docker's settings plus our runtime as the default."""
    runtimes = settings.get("runtimes", {})
    known = runtimes if isinstance(runtimes, dict) else {}
    return {
        **settings,
        "default-runtime": RUNTIME_NAME,
        "runtimes": {**known, RUNTIME_NAME: {"path": str(RUNTIME)}},
    }


def without_runtime(settings: dict[str, object]) -> dict[str, object]:
    """Docker's settings as they were before `with_runtime`."""
    if settings.get("default-runtime") != RUNTIME_NAME:
        return settings
    runtimes = settings["runtimes"]
    rest = {key: value for key, value in settings.items() if key not in ("default-runtime", "runtimes")}
    kept = {k: v for k, v in runtimes.items() if k != RUNTIME_NAME} if isinstance(runtimes, dict) else {}
    return {**rest, "runtimes": kept} if kept else rest


def take_runtime_out() -> None:
    """Undo `fit_runtime_to_capabilities`."""
    RUNTIME.unlink(missing_ok=True)
    if DAEMON_JSON.exists():
        rest = without_runtime(json.loads(DAEMON_JSON.read_text()))
        if rest:
            DAEMON_JSON.write_text(json.dumps(rest, indent=2) + "\n")
        else:
            DAEMON_JSON.unlink()


def has_capability(bit: int, status: str) -> bool:
    """Whether the bounding set of `/proc/self/status` contains the capability."""
    match = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return match is None or bool(int(match[1], 16) >> bit & 1)


def image_id(reference: str) -> str | None:
    """Id of a local image, or None."""
    return _inspect(reference, "{{.Id}}")


def image_label(reference: str, label: str) -> str | None:
    """A label of a local image; None without the image, empty without the label."""
    return _inspect(reference, f'{{{{index .Config.Labels "{label}"}}}}')


def image_created(reference: str) -> str | None:
    """When a local image was made, as an ISO time."""
    return _inspect(reference, "{{.Created}}")


def image_layers(reference: str) -> list[str] | None:
    """Digests of a local image's layers, lowest first."""
    told = _inspect(reference, "{{json .RootFS.Layers}}")
    layers: list[str] | None = json.loads(told) if told else None
    return layers


def _inspect(reference: str, template: str) -> str | None:
    if client() is None:
        return None
    asked = subprocess.run(
        ["docker", "image", "inspect", "--format", template, reference], capture_output=True, text=True
    )
    return asked.stdout.strip() if asked.returncode == 0 else None


def _start_detached(job: Job) -> None:
    wait_until(job, _old_daemon_lingers, START_SECONDS)
    DAEMON_LOG.parent.mkdir(parents=True, exist_ok=True)
    with DAEMON_LOG.open("ab") as log:
        daemon = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    STARTED_BY_US.write_text(f"{daemon.pid} {processes.started(daemon.pid)}")


def forget_if_dead(pid_file: Path, program: str, proc: Path = Path("/proc")) -> bool:
    """Remove the pid file of a `program` that is gone, its number given to another perhaps; True while it lives."""
    if not pid_file.exists():
        return False
    comm = proc / (pid_file.read_text().strip() or "none") / "comm"
    if comm.exists() and comm.read_text().strip() == program:
        return True
    pid_file.unlink(missing_ok=True)
    return False


def _old_daemon_lingers() -> str | None:
    """A daemon started while the last one is still shutting down fails; one that finds a dead one's file waits for it."""
    if not forget_if_dead(CONTAINERD_PID, "containerd"):
        for socket in CONTAINERD_PID.parent.glob("containerd*.sock*"):
            socket.unlink()
    if forget_if_dead(DAEMON_PID, "dockerd"):
        return f"the old Docker daemon (pid {DAEMON_PID.read_text().strip()}) to end"
    return None


def _daemon_missing() -> str | None:
    if server_version() is not None:
        return None
    end = DAEMON_LOG.read_text(errors="replace").splitlines()[-1:] if DAEMON_LOG.exists() else []
    return f"the Docker daemon to answer{f' (its last words: {end[0]})' if end else ''}"
