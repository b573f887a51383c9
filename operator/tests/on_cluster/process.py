"""An operator as a process of this machine: started, watched, stopped, frozen, killed."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from suuupra.testing.containers import free_port

from .launcher import Launcher
from .waiting import eventually

SHORT = {
    "SUUUPRA_OPERATOR_DRIFT_SECONDS": "1",
    "SUUUPRA_OPERATOR_RELIST_SECONDS": "5",
    "SUUUPRA_OPERATOR_LEASE_SECONDS": "0.5",
    "SUUUPRA_OPERATOR_RESYNC_SECONDS": "600",
    "SUUUPRA_OPERATOR_LOG_LEVEL": "INFO",
}


@dataclass
class OperatorProcess:
    """One replica."""

    launcher: Launcher
    pid: int
    port: int
    log_file: Path
    code: int | None = None
    """How it ended: its exit code, negative for a signal."""

    @classmethod
    def start(
        cls, launcher: Launcher, kubeconfig: Path, programs: Path, settings: dict[str, str]
    ) -> OperatorProcess:
        """``settings`` are names of the operator's settings, or whole variables when they begin with SUUUPRA_.

        ``programs`` is a folder with what the operator's image holds beside it.
        """
        port = free_port()
        given = {
            name if name.startswith("SUUUPRA_") else f"SUUUPRA_OPERATOR_{name.upper()}": value
            for name, value in settings.items()
        }
        environment = {
            **os.environ,
            **SHORT,
            **given,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "SUUUPRA_OPERATOR_PORT": str(port),
        }
        descriptor, name = tempfile.mkstemp(prefix="operator-", suffix=".log")
        os.close(descriptor)
        return cls(launcher, launcher.launch(environment, Path(name)), port, Path(name))

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels as written in the exposition; empty while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return {}
        return {
            match[1]: float(match[2])
            for match in re.finditer(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
        }

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples of one metric with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.partition("{")[0] == name and all(text in sample for text in wanted)
        )

    def leads(self) -> bool:
        return self.total("suuupra_operator_leading") == 1

    async def leading(self, within: float = 40) -> None:
        await eventually(
            self.leads, within, lambda: f"an operator that leads; its log:\n{self.log()[-2000:]}"
        )

    def ended(self) -> bool:
        if self.code is None:
            self.code = self.launcher.code(self.pid)
        return self.code is not None

    async def died(self, within: float = 60, at: str = "a signal") -> int | None:
        """Wait for its end; how it ended. ``at`` says what it should die of."""
        await eventually(self.ended, within, lambda: f"its end by {at}:\n{self.log()[-2000:]}")
        return self.code

    def stopped(self) -> bool:
        """Whether a signal has stopped it."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self) -> None:
        """Kill and collect it."""
        if not self.ended():
            self.signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not self.ended():
            assert time.monotonic() < deadline, f"process {self.pid} does not end"
            time.sleep(0.01)
        self.log_file.unlink(missing_ok=True)


@dataclass
class Crew:
    """The operators of this session: one that stands by from test to test, or those of one test, never both."""

    launcher: Launcher
    kubeconfig: Path
    programs: Path
    image: str
    """The operator's own, which lints migrations."""
    forget_lease: Callable[[], Awaitable[None]]
    """Takes the Lease away, which saves its expiry after a kill."""
    standing: OperatorProcess | None = None
    running: list[OperatorProcess] = field(default_factory=list)

    def start(self, **settings: str) -> OperatorProcess:
        started = OperatorProcess.start(
            self.launcher, self.kubeconfig, self.programs, {"image": self.image} | settings
        )
        self.running.append(started)
        return started

    async def stand(self) -> OperatorProcess:
        """The one that stands by, with short intervals; started when the last one was ended."""
        if self.standing is None or self.standing.ended():
            await self.end()
            self.standing = self.start()
            await self.standing.leading()
        return self.standing

    async def end(self) -> None:
        """No operator any more, and no trace that keeps the next one waiting."""
        for process in self.running:
            process.end()
        self.running.clear()
        self.standing = None
        await self.forget_lease()
