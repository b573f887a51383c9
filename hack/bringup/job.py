"""One piece of work: runs programs, keeps its own log, and says what it waits for."""

import os
import shlex
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from bringup import paths, processes

TAIL_LINES = 25


class CommandFailed(Exception):
    """A program ended badly; the message carries the end of its output."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        self.argv, self.code, self.output = list(argv), code, output
        super().__init__(f"{shlex.join(argv)} ended with {code}\n{_tail(output)}")


class NotReady(Exception):
    """Something was not ready in its time; the message says what it waited for."""


class Cancelled(Exception):
    """The job was told to stop; its work can be taken up again by the next run."""


_JOBS: "weakref.WeakSet[Job]" = weakref.WeakSet()


def end_programs() -> None:
    """End what runs for any job of this process. The jobs themselves may go on, to put things in order."""
    for job in list(_JOBS):
        job.end_programs()


class _Starting:
    """Whether the main thread is between starting a program and knowing it: a signal then waits, or it would be lost."""

    def __init__(self) -> None:
        self._under_way = False
        self._asked = False

    def postpone(self) -> bool:
        """For a signal's handler: whether to stop is left to the end of the start under way."""
        self._asked = self._under_way
        return self._asked

    @contextmanager
    def whole(self) -> Iterator[None]:
        """A start that no signal cuts in two. Handlers run in the main thread, so other threads need no care."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._under_way = True
        try:
            yield
        finally:
            self._under_way = False
            if self._asked:
                self._asked = False
                stop()


_STARTING = _Starting()


def stop(*_: object) -> None:
    """Ctrl-C, a cancelled job of CI, a closed terminal: end the programs under way, then put things in order."""
    if not _STARTING.postpone():
        end_programs()
        raise KeyboardInterrupt


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
        self._lock = threading.RLock()  # a signal's handler may take it while this very thread holds it
        self._cancelled = threading.Event()
        _JOBS.add(self)

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
            Cancelled: the job was told to stop.
        """
        start = self.log.stat().st_size
        with self.child(argv, cwd=cwd, env=env, stdin=stdin, stdout=None) as child:
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
            Cancelled: the job was told to stop.
        """
        with self.child(argv, cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=True) as child:
            out, err = child.communicate(stdin.encode() if stdin is not None else None)
        if child.returncode:
            raise CommandFailed(argv, child.returncode, (err or b"").decode(errors="replace"))
        return out.decode(errors="replace")

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> None:
        """Run `producer | consumer`; either failing is a failure."""
        start = self.log.stat().st_size
        with self.child(producer, stdout=subprocess.PIPE) as left:
            with self.child(consumer, stdin_from=left.stdout) as right:
                if left.stdout is not None:
                    left.stdout.close()  # so that the producer hears of a consumer that died
                right.wait()
            left.wait()
        for child, argv in ((right, consumer), (left, producer)):
            if child.returncode:
                raise CommandFailed(argv, child.returncode, self.log.read_text(errors="replace")[start:])

    def cancel(self) -> None:
        """End whatever runs for this job, and let it start and wait for nothing more."""
        self._cancelled.set()
        self.end_programs()

    def end_programs(self) -> None:
        """End whatever runs for this job at this moment."""
        with self._lock:
            children = list(self._children)
        for child in children:
            processes.end(child)

    def go_on(self) -> None:
        """Return at once, unless the job was told to stop.

        Raises:
            Cancelled: it was.
        """
        if self._cancelled.is_set():
            raise Cancelled(f"{self.name} was stopped")

    def pause(self, seconds: float) -> None:
        """Let `seconds` pass, or fewer when the job is told to stop meanwhile.

        Raises:
            Cancelled: it was.
        """
        self._cancelled.wait(seconds)
        self.go_on()

    @contextmanager
    def child(
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
        """A program in a group of its own, which is ended with the job or when the block is left by an error.

        Raises:
            Cancelled: the job was told to stop, before the program was started or while it ran.
        """
        self.go_on()
        self.note(f"$ {shlex.join(argv)}")
        with ExitStack() as ended:
            with self.log.open("ab") as log, self._lock, _STARTING.whole():
                child = subprocess.Popen(
                    list(argv),
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=stdin_from or (subprocess.PIPE if stdin is not None else subprocess.DEVNULL),
                    stdout=stdout or log,
                    stderr=subprocess.PIPE if stderr else log,
                    start_new_session=True,
                )
                ended.enter_context(self._followed(child))
            if self._cancelled.is_set():
                processes.end(child)
            yield child
            child.wait()
            self.go_on()

    @contextmanager
    def _followed(self, child: "subprocess.Popen[bytes]") -> Iterator[None]:
        """Known to this job and, should we be killed, to the next run; ended when the block is left by an error."""
        self._children.add(child)
        record = processes.remember(child)
        try:
            yield
        except BaseException:
            processes.end(child)
            processes.wait_for_group(child)
            raise
        finally:
            record.unlink(missing_ok=True)
            with self._lock:
                self._children.discard(child)


def wait_until(job: Job, ready: Callable[[], str | None], seconds: float, every: float = 0.5) -> None:
    """Call `ready` until it returns None; any text it returns is what is still waited for.

    Raises:
        NotReady: `seconds` passed; the last text is in the message.
        Cancelled: the job was told to stop.
    """
    deadline = time.monotonic() + seconds
    while (missing := ready()) is not None:
        job.waiting(missing)
        if time.monotonic() > deadline:
            raise NotReady(f"gave up after {seconds:.0f} s waiting for {missing}")
        job.pause(every)


def _tail(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-TAIL_LINES:])
