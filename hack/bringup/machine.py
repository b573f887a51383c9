"""Looks at the machine: the facts that `refusals` decides on."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

from bringup import docker, paths
from bringup.knobs import Knobs
from bringup.refusals import Facts

TOOLS = ("kind", "helm", "kubectl")


def look(knobs: Knobs, ports: dict[int, str]) -> Facts:
    """Gather the facts; `ports` are those this command is about to take, each with the knob that moves it."""
    version = docker.server_version()
    running = version is not None and node_is_running(knobs.cluster)
    root = docker.data_root()
    return Facts(
        root=os.geteuid() == 0,
        apt=shutil.which("apt-get") is not None,
        docker_client=docker.client() is not None,
        docker_server=version,
        docker_denied=version is None and docker.denied(),
        disk_free=min(shutil.disk_usage(root).free, shutil.disk_usage(paths.ROOT).free),
        disk_path=str(root),
        memory_free=memory_available(Path("/proc/meminfo").read_text()),
        foreign_ports={} if running else {port: knob for port, knob in ports.items() if taken(port)},
        cluster_runs=running,
        go=go_version(),
        tools_present=all((paths.BIN / tool).exists() or shutil.which(tool) for tool in TOOLS),
    )


def node_is_running(cluster: str) -> bool:
    """Whether the cluster's one node is up now."""
    asked = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Running}}", f"{cluster}-control-plane"],
        capture_output=True,
        text=True,
    )
    return asked.stdout.strip() == "true"


def memory_available(meminfo: str) -> int:
    """Bytes the kernel says can be had without swapping."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def taken(port: int) -> bool:
    """Whether 127.0.0.1:port cannot be listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def go_version() -> tuple[int, ...] | None:
    """Version of the Go on PATH; its own, not one it would download."""
    if shutil.which("go") is None:
        return None
    asked = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, cwd="/")
    return docker.parse_version(asked.stdout)
