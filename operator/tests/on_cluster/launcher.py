"""Starts operators: a process that has imported everything once, and forks one for each that is asked for.

Importing takes longer than most of what a test waits for. A fork is as much a process as any: it is frozen, killed and
collected like one. Runs by itself; speaks one JSON value a line: `{"env": …, "log": path}` is answered by the new
process's id, `{"pid": …}` by the exit code of one that has ended (negative for a signal) or null.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suuupra_operator import app

from suuupra import failpoints


@dataclass(frozen=True)
class Launcher:
    """The test's end of it."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls) -> Launcher:
        command = [sys.executable, "-P", str(Path(__file__).resolve())]
        return cls(subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def launch(self, env: Mapping[str, str], log: Path) -> int:
        """Start an operator; its process id."""
        return int(self._ask({"env": dict(env), "log": str(log)}))

    def code(self, pid: int) -> int | None:
        """How a process ended; None while it runs. Asked once more after it has ended, it is an error."""
        found = self._ask({"pid": pid})
        return None if found is None else int(found)

    def end(self) -> None:
        self.process.communicate()

    def _ask(self, request: dict[str, Any]) -> Any:
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("pipes were asked for")
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def main() -> None:
    """Until its input ends; no operator outlives it, so that none outlives a test session that was killed."""
    running: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "pid" in request:
            answer = _code(request["pid"])
            running -= {request["pid"]} if answer is not None else set()
        else:
            answer = _forked(request["env"], request["log"])
            running.add(answer)
        print(json.dumps(answer), flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _forked(env: Mapping[str, str], log: str) -> int:
    if threading.active_count() != 1:
        raise RuntimeError("a thread was started by an import: a fork would be without it")
    pid = os.fork()
    if pid == 0:
        _become_operator(env, log)
    return pid


def _become_operator(env: Mapping[str, str], log: str) -> None:
    """What a new process would find: its own environment, and its own place to write to."""
    output, nothing = os.open(log, os.O_WRONLY | os.O_APPEND), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(env)
    importlib.reload(failpoints)  # reads the environment when it is imported
    raise SystemExit(app.run())


def _code(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


if __name__ == "__main__":
    main()
