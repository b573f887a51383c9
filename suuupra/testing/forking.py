"""Processes of services and of the kit that start in a moment, to be killed and started again.

    with forking.start("suuupra", "work", "payments", environment=values) as process:
        process.wait(90)

It is `python -m suuupra work payments`, forked from a process that has its imports behind it (suuupra.testing.nursery):
they are most of what a start costs. Whoever proves the start itself uses subprocess.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

_OUT: Final = 1
_ERR: Final = 2
_lock: Final = threading.Lock()
_nurseries: Final[dict[int, tuple[subprocess.Popen[bytes], socket.socket]]] = {}
"""By the process that started it: a forked one must not use its parent's."""


class Process:
    """What subprocess.Popen is, of a process that somebody else forked."""

    def __init__(self, argv: tuple[str, ...], told: socket.socket) -> None:
        self._argv = argv
        with told:
            self._reader = told.makefile("rb")  # keeps the socket open
        self._reading = threading.Lock()
        self.pid = int(self._line())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, as subprocess tells it (a signal as its negative); None while it lives."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end for `timeout` seconds. Raises subprocess.TimeoutExpired."""
        if self.returncode is None and not select.select([self._reader], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self._argv, timeout or 0)
        with self._reading:
            if self.returncode is None:
                self.returncode = int(self._line())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing when it has ended."""
        if self.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _line(self) -> bytes:
        line = self._reader.readline()
        if not line:
            raise ChildProcessError(f"the nursery ended before {' '.join(self._argv)} did")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()
        self._reader.close()


def start(*argv: str, environment: Mapping[str, str], out: int = _OUT, err: int = _ERR) -> Process:
    """`python -m ARGV…` with this environment; `out` and `err` are the files to print to, by default this process's."""
    request = {"argv": argv, "environment": dict(environment), "cwd": os.getcwd()}
    ours, theirs = socket.socketpair()
    with theirs, _lock:
        fds = [out, err, theirs.fileno()]
        socket.send_fds(_nursery(), [json.dumps(request).encode()], fds)
    return Process(argv, ours)


def _nursery() -> socket.socket:
    """The one of this process, started when it is needed first."""
    if os.getpid() not in _nurseries:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "suuupra.testing.nursery", str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        _nurseries[os.getpid()] = process, ours
        atexit.register(_end, process, ours)
    return _nurseries[os.getpid()][1]


def _end(process: subprocess.Popen[bytes], asked: socket.socket) -> None:
    asked.close()
    process.wait()
