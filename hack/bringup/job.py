"""One piece of work: runs programs, keeps its own log, and says what it waits for."""

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bringup import paths

TAIL_LINES = 25


class CommandFailed(Exception):
    """A program ended badly; the message carries the end of its output."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        self.argv, self.code, self.output = list(argv), code, output
        super().__init__(f"{shlex.join(argv)} ended with {code}\n{_tail(output)}")


class NotReady(Exception):
    """Something was not ready in its time; the message says what it waited for."""


class Job:
    """Handed to whatever does the work of a step."""

    def __init__(self, name: str, say: Callable[[str], None] = print, logs: Path = paths.LOGS) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = logs / f"{name}.log"
        self.log.write_text("")
        self.waits_for = ""
        self._say = say
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def say(self, text: str) -> None:
        """Tell the user something worth keeping on the screen."""
        self.note(text)
        self._say(text)

    def note(self, text: str) -> None:
        """Write a line into the log only."""
        with self.log.open("a") as log:
            log.write(f"{text}\n")

    def waiting(self, text: str) -> None:
        """Name what is waited for; the display shows it beside the elapsed time."""
        if text != self.waits_for:
            self.waits_for = text
            self.note(f"# {time.strftime('%H:%M:%S')} {text}")

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> None:
        """Run a program, its output going to the log.

        Raises:
            CommandFailed: it ended with anything but 0.
        """
        start = self.log.stat().st_size
        with self._child(argv, cwd=cwd, env=env, stdin=stdin, stdout=None) as child:
            child.communicate(stdin.encode() if stdin is not None else None)
        if child.returncode:
            raise CommandFailed(argv, child.returncode, self.log.read_text(errors="replace")[start:])

    def output(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> str:
        """Run a program and return what it prints on its standard output.

        Raises:
            CommandFailed: it ended with anything but 0.
        """
        with self._child(argv, cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=True) as child:
            out, err = child.communicate(stdin.encode() if stdin is not None else None)
        if child.returncode:
            raise CommandFailed(argv, child.returncode, (err or b"").decode(errors="replace"))
        return out.decode(errors="replace")

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> None:
        """Run `producer | consumer`; either failing is a failure."""
        start = self.log.stat().st_size
        with self._child(producer, stdout=subprocess.PIPE) as left:
            with self._child(consumer, stdin_from=left.stdout) as right:
                if left.stdout is not None:
                    left.stdout.close()  # so that the producer hears of a consumer that died
                right.wait()
            left.wait()
        for child, argv in ((right, consumer), (left, producer)):
            if child.returncode:
                raise CommandFailed(argv, child.returncode, self.log.read_text(errors="replace")[start:])

    def cancel(self) -> None:
        """End whatever runs for this job; the work can be taken up again later."""
        with self._lock:
            self._cancelled = True
            children = list(self._children)
        for child in children:
            child.terminate()

    @contextmanager
    def _child(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        stdin_from: IO[bytes] | None = None,
        stdout: int | None = None,
        stderr: bool = False,
    ) -> Iterator[subprocess.Popen[bytes]]:
        self.note(f"$ {shlex.join(argv)}")
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=stdin_from or (subprocess.PIPE if stdin is not None else subprocess.DEVNULL),
                stdout=stdout or log,
                stderr=subprocess.PIPE if stderr else log,
            )
        with self._lock:
            self._children.add(child)
            cancelled = self._cancelled
        if cancelled:
            child.terminate()
        try:
            yield child
        finally:
            if child.poll() is None and child.returncode is None:
                child.wait()
            with self._lock:
                self._children.discard(child)


def wait_until(job: Job, ready: Callable[[], str | None], seconds: float, every: float = 0.5) -> None:
    """Call `ready` until it returns None; any text it returns is what is still waited for.

    Raises:
        NotReady: `seconds` passed; the last text is in the message.
    """
    deadline = time.monotonic() + seconds
    while (missing := ready()) is not None:
        job.waiting(missing)
        if time.monotonic() > deadline:
            raise NotReady(f"gave up after {seconds:.0f} s waiting for {missing}")
        time.sleep(every)


def _tail(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-TAIL_LINES:])
