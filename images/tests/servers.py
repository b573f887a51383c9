"""Each image as its pod runs it: no root, a read-only root file system, data in a volume, a port of 127.0.0.1."""

import subprocess
import time
from dataclasses import dataclass
from typing import Protocol

from suuupra.testing.containers import docker, listens

READY_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Server:
    """A container whose process can be killed and started again with the data it had."""

    id: str
    port: int
    ready: tuple[str, ...]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the server, in its container."""
        return subprocess.run(
            ["docker", "exec", self.id, *command], capture_output=True, text=True, check=False
        )

    def wait(self) -> None:
        """Return when the image's own readiness check succeeds."""
        deadline = time.monotonic() + READY_SECONDS
        while not (listens(self.port) and self.run(*self.ready).returncode == 0):
            assert time.monotonic() < deadline, f"not ready in {READY_SECONDS:.0f} s\n{self.log()}"
            time.sleep(0.1)

    def kill_and_start(self) -> None:
        """SIGKILL, then start on the same volume."""
        docker("kill", "--signal", "KILL", self.id)
        docker("start", self.id)
        self.wait()

    def restart(self) -> None:
        """Stop as a pod is stopped, then start on the same volume."""
        self.stop()
        docker("start", self.id)
        self.wait()

    def stop(self) -> int:
        """Stop as a pod is stopped; returns the exit code."""
        docker("stop", "--time", "60", self.id)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for the process to end; returns its exit code."""
        return int(docker("wait", self.id))

    def says(self, words: str) -> bool:
        """Wait until a line of its log has these words; False when it ended without them."""
        follow = ("docker", "logs", "--follow", self.id)
        with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as log:
            assert log.stdout is not None
            try:
                return any(words in line for line in log.stdout)
            finally:
                log.kill()

    def log(self) -> str:
        """Everything the server has said."""
        shown = subprocess.run(["docker", "logs", self.id], capture_output=True, text=True, check=True)
        return shown.stdout + shown.stderr


class Launch(Protocol):
    """`launch("valkey", 6379, "--env", "A=b", ready=("ready",))`: a server for this module."""

    def __call__(
        self, image: str, port: int, *options: str, ready: tuple[str, ...] = ("true",), wait: bool = True
    ) -> Server: ...
