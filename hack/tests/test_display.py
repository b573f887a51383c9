"""What is seen while steps run: how long already, what is waited for, and where the log is."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bringup import display as display_module
from bringup.display import PLAIN_REMINDER_SECONDS, Display
from bringup.job import Job


class Screen(io.StringIO):
    """A terminal, or a file."""

    def __init__(self, *, live: bool) -> None:
        super().__init__()
        self._live = live

    def isatty(self) -> bool:
        return self._live

    def await_text(self, text: str) -> None:
        until(lambda: text in self.getvalue(), f"{text!r} to be shown")


class Clock:
    """Seconds, as the test has them, and how often they were asked for."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.seconds

    def await_looks(self, times: int) -> None:
        enough = self.asked + times
        until(lambda: self.asked >= enough, f"{times} more looks at the clock")


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.005)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(display_module, "REDRAW_SECONDS", 0.005)
    monkeypatch.setenv("COLUMNS", "500")
    return Job("node-image", logs=tmp_path)


def test_a_terminal_shows_what_is_under_way_as_time_goes_on(job: Job) -> None:
    screen, clock = Screen(live=True), Clock()
    with Display(12, screen, clock) as display:
        display.start(3, "Node image", job)
        screen.await_text(f"[ 3/12] Node image  0.0s  works  (log {job.log})")
        job.waiting("the registry")
        clock.seconds += 75.2
        screen.await_text(f"[ 3/12] Node image  1:15  waits for the registry  (log {job.log})")


def test_a_file_is_told_of_the_log_at_once_and_reminded_now_and_then(job: Job) -> None:
    screen, clock = Screen(live=False), Clock()
    with Display(12, screen, clock) as display:
        display.start(3, "Node image", job)
        job.waiting("the registry")
        for _ in range(3):
            clock.seconds += PLAIN_REMINDER_SECONDS
            screen.await_text(f"  {display_module.clock(clock.seconds - 1000)}  ")
        clock.seconds += PLAIN_REMINDER_SECONDS - 1
        clock.await_looks(5)
    assert screen.getvalue().splitlines() == [
        f"[ 3/12] Node image …  (log {job.log})",
        f"[ 3/12] Node image  0:30  waits for the registry  (log {job.log})",
        f"[ 3/12] Node image  1:00  waits for the registry  (log {job.log})",
        f"[ 3/12] Node image  1:30  waits for the registry  (log {job.log})",
    ]


def test_a_step_that_is_over_is_not_shown_any_more(job: Job) -> None:
    screen, clock = Screen(live=False), Clock()
    other = Job("cluster", logs=job.log.parent)
    with Display(12, screen, clock) as display:
        display.start(3, "Node image", job)
        display.start(4, "Cluster", other)
        display.finish(3, "✓", "Node image", 20)
        clock.seconds += PLAIN_REMINDER_SECONDS
        screen.await_text("Cluster  0:30")
    assert "[ 3/12] ✓ Node image  0:20" in screen.getvalue()
    assert "Node image  0:30" not in screen.getvalue()
