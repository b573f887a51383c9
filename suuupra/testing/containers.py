"""Throwaway containers from our own images."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

IMAGES_VARIABLE: Final = "SUUUPRA_TEST_IMAGES"
LABEL: Final = "suuupra.test"
START_LIMIT: Final = 90.0
"""Seconds a server may take to answer, on a machine that is busy building."""


class DockerMissing(Exception):
    """Integration tests cannot run; the text says what to do."""


class ServerFailed(Exception):
    """A test server did not come up; the text ends with its log."""


def docker(*arguments: str) -> str:
    """Run the docker command; its error text becomes the exception's."""
    if shutil.which("docker") is None:
        raise DockerMissing(
            "integration tests need Docker: run `make up` once, or deselect them: pytest -m 'not integration'"
        )
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise DockerMissing(f"docker {' '.join(arguments[:2])} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def image_of(name: str) -> str:
    """The image of a backing server: the one named in the environment, else the newest that was built."""
    chosen = dict(pair.split("=", 1) for pair in os.environ.get(IMAGES_VARIABLE, "").split(",") if pair)
    if name in chosen:
        return chosen[name]
    built = docker("image", "ls", f"suuupra/{name}", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    tagged = [image for image in built if not image.endswith(":<none>")]
    if not tagged:
        raise DockerMissing(
            f"the image suuupra/{name} is not built: run `python3 hack images {name}`, or set {IMAGES_VARIABLE}"
        )
    return tagged[0]


def listens(port: int) -> bool:
    """Whether a server behind a published port keeps a connection open.

    Docker's proxy accepts at once and hangs up when nobody listens behind it. To ask costs nothing, where each
    command in a container costs a tenth of a second of processor time.
    """
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
        probe.settimeout(0.05)
        try:
            return probe.recv(1) != b""
        except TimeoutError:
            return True
    return False


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Container:
    """A running container whose port is published on 127.0.0.1."""

    id: str
    name: str
    port: int

    @classmethod
    def run(cls, image: str, port: int, *options: str, host_port: int | None = None) -> "Container":
        """Start `image` as the restricted pod would run: read-only root, /tmp in memory.

        Not with --rm: on a busy machine Docker then removes a container that it was told to restart.
        """
        published = host_port or free_port()
        id_ = docker(
            *("run", "--detach", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108 (in the container)
            *("--label", f"{LABEL}={os.getpid()}", "--publish", f"127.0.0.1:{published}:{port}"),
            *(*options, image_of(image)),
        )
        return cls(id_, image, published)

    def nearest(self, port: int) -> tuple[str, int]:
        """Where its `port` is reached with the least between: on Docker's bridge, else where it is published.

        What publishes a port is a process that copies every byte, and takes more time than PostgreSQL for a short
        statement. The address on the bridge may be another after a restart.
        """
        own = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.id)
        return (own, port) if own and _answers(own, port) else ("127.0.0.1", self.port)

    def wait(self, ready: Callable[["Container"], bool]) -> None:
        """Return when `ready` says so; raise ServerFailed with the log when it takes too long."""
        deadline = time.monotonic() + START_LIMIT
        while not (listens(self.port) and ready(self)):
            if time.monotonic() > deadline:
                log = subprocess.run(
                    ["docker", "logs", "--tail", "40", self.id], capture_output=True, text=True
                )
                raise ServerFailed(
                    f"{self.name} did not answer in {START_LIMIT:.0f} s\n{log.stdout}{log.stderr}"
                )
            time.sleep(0.05)

    def succeeds(self, command: Sequence[str]) -> bool:
        """Whether a command in the container exits with 0."""
        ran = subprocess.run(["docker", "exec", self.id, *command], capture_output=True, check=False)
        return ran.returncode == 0

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        docker("pause", self.id)

    def resume(self) -> None:
        """Undo `pause`."""
        docker("unpause", self.id)

    def remove(self) -> None:
        """Kill and delete it, and its volumes; one that is gone already is fine."""
        with suppress(DockerMissing):
            docker("rm", "--force", "--volumes", self.id)


def remove_leftovers() -> None:
    """Delete the containers of test sessions that were killed before they could."""
    shown = docker(
        "ps", "--all", "--filter", f"label={LABEL}", "--format", f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'
    )
    for line in shown.splitlines():
        id_, _, owner = line.partition(" ")
        if not _alive(int(owner)):
            docker("rm", "--force", "--volumes", id_)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
