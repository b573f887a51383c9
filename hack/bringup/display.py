"""What the user sees while steps run: a live region on a terminal, plain lines everywhere else."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from bringup.job import Job
from bringup.paths import ROOT

PLAIN_REMINDER_SECONDS = 30
REDRAW_SECONDS = 0.5


@dataclass(frozen=True)
class Running:
    """A step under way."""

    number: int
    title: str
    started: float
    job: Job


def clock(seconds: float) -> str:
    """`75.2` → `1:15`; under ten seconds with one decimal, because there it matters."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Display:
    """Prints the progress of `total` steps, timed in seconds by `now`. Safe to call from several threads."""

    def __init__(
        self, total: int, out: TextIO = sys.stdout, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self._now = now
        self._out = out
        self._live = out.isatty()
        self._running: dict[int, Running] = {}
        self._reminded: dict[int, float] = {}
        self._drawn = 0
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Display":
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._ticker.join()
        with self._lock:
            self._erase()

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._erase()
            print(text, file=self._out, flush=True)
            self._draw()

    def start(self, number: int, title: str, job: Job) -> None:
        """Show a step as under way, with its log."""
        with self._lock:
            self._running[number] = Running(number, title, self._now(), job)
            self._reminded[number] = self._now()
        if not self._live:
            self.say(f"{self._label(number)} {title} …  (log {_short(job)})")

    def finish(self, number: int, mark: str, text: str, seconds: float) -> None:
        """Close a step: mark is `✓` done, `=` nothing to do, `✗` failed."""
        with self._lock:
            self._erase()
            self._running.pop(number, None)
        self.say(f"{self._label(number)} {mark} {text}  {clock(seconds)}")

    def _label(self, number: int) -> str:
        return f"[{number:>2}/{self.total}]"

    def _tick(self) -> None:
        while not self._stop.wait(REDRAW_SECONDS):
            with self._lock:
                if self._live:
                    self._erase()
                    self._draw()
                else:
                    self._remind()

    def _remind(self) -> None:
        now = self._now()
        for number, step in self._running.items():
            if now - self._reminded[number] >= PLAIN_REMINDER_SECONDS:
                self._reminded[number] = now
                print(self._line(step), file=self._out, flush=True)

    def _line(self, step: Running) -> str:
        waits = f"waits for {step.job.waits_for}" if step.job.waits_for else "works"
        elapsed = clock(self._now() - step.started)
        return f"{self._label(step.number)} {step.title}  {elapsed}  {waits}  (log {_short(step.job)})"

    def _draw(self) -> None:
        if not self._live:
            return
        width = shutil.get_terminal_size().columns
        lines = [self._line(step)[: width - 1] for _, step in sorted(self._running.items())]
        for line in lines:
            print(f"\x1b[2m{line}\x1b[0m", file=self._out)
        self._drawn = len(lines)
        self._out.flush()

    def _erase(self) -> None:
        if self._live and self._drawn:
            print(f"\x1b[{self._drawn}A\x1b[J", end="", file=self._out)
        self._drawn = 0


def table(rows: Sequence[tuple[str, str, float]], total: float) -> str:
    """The closing table: step, what happened, how long. Steps overlap, so times need not add up."""
    width = max((len(title) for title, _, _ in rows), default=0)
    lines = [f"  {title:<{width}}  {clock(seconds):>6}  {what}" for title, what, seconds in rows]
    return "\n".join([*lines, f"  {'in all':<{width}}  {clock(total):>6}"])


def _short(job: Job) -> str:
    return str(job.log.relative_to(ROOT)) if job.log.is_relative_to(ROOT) else str(job.log)
