"""Jobs: they say what failed, they stop at once, and nothing they started outlives them."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bringup import processes
from bringup.display import Display
from bringup.job import Cancelled, CommandFailed, Job, NotReady, end_programs, wait_until
from bringup.steps import Step, StepFailed, run_all

HACK = Path(__file__).parents[1]
PROMPT_SECONDS = 5
"""Far less than what is waited for, and room for a busy machine."""
LONG = 600


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("work", print, tmp_path)


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def stopped_after(seconds: float, job: Job, work: Callable[[], object]) -> float:
    """How long `work` goes on once the job is cancelled."""
    cancelled_at: list[float] = []

    def cancel() -> None:
        cancelled_at.append(time.monotonic())
        job.cancel()

    timer = threading.Timer(seconds, cancel)
    timer.start()
    try:
        with pytest.raises(Cancelled, match="work was stopped"):
            work()
    finally:
        timer.join()
    return time.monotonic() - cancelled_at[0]


def test_waiting_stops_at_once_when_the_job_is_cancelled(job: Job) -> None:
    def wait() -> None:
        wait_until(job, lambda: "the moon", LONG, every=LONG)

    assert stopped_after(0.1, job, wait) < PROMPT_SECONDS


def test_a_program_stops_at_once_when_the_job_is_cancelled(job: Job) -> None:
    assert stopped_after(0.2, job, lambda: job.run(["sleep", str(LONG)])) < PROMPT_SECONDS


def test_what_the_program_started_stops_with_it(job: Job) -> None:
    script = f"sleep {LONG} & echo $! >&2; wait"
    stopped_after(0.5, job, lambda: job.run(["sh", "-c", script]))
    grandchild = int(job.log.read_text().split()[-1])
    until(lambda: not alive(grandchild))


def test_a_cancelled_job_starts_nothing_more(job: Job) -> None:
    job.cancel()
    with pytest.raises(Cancelled):
        job.run(["false"])
    assert "false" not in job.log.read_text()


def test_a_program_that_does_not_listen_is_told_again(job: Job) -> None:
    script = "trap '' INT; echo deaf; while :; do sleep 0.1; done"
    seconds = stopped_after(0.5, job, lambda: job.run(["sh", "-c", script]))
    assert seconds < processes.INSISTENCE[-1][0]


def test_ending_programs_leaves_the_job_able_to_put_things_in_order(job: Job) -> None:
    timer = threading.Timer(0.2, end_programs)
    timer.start()
    with pytest.raises(CommandFailed):
        job.run(["sleep", str(LONG)])
    timer.join()
    assert job.output(["echo", "in order"]) == "in order\n"


def test_what_is_still_waited_for_is_in_the_message(job: Job) -> None:
    with pytest.raises(NotReady, match="waiting for the moon"):
        wait_until(job, lambda: "the moon", 0.05, every=0.01)


def test_both_ends_of_a_pipe_count(job: Job) -> None:
    job.pipe(["echo", "water"], ["grep", "water"])
    with pytest.raises(CommandFailed, match="ended with 1"):
        job.pipe(["echo", "water"], ["grep", "wine"])
    with pytest.raises(CommandFailed, match="ended with 3"):
        job.pipe(["sh", "-c", "echo water; exit 3"], ["cat"])


def test_the_first_failing_step_stops_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job.__init__, "__defaults__", (print, tmp_path))
    waits = threading.Event()

    def wait_long(job: Job) -> None:
        waits.set()
        wait_until(job, lambda: "ever", LONG, every=LONG)

    def fail(_: Job) -> None:
        waits.wait()
        raise RuntimeError("broke")

    began = time.monotonic()
    with Display(2, io.StringIO()) as display, pytest.raises(StepFailed, match="broke"):
        run_all([Step("long", "Long", wait_long), Step("bad", "Bad", fail)], display)
    assert time.monotonic() - began < PROMPT_SECONDS


RUN = """
import io, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from bringup import processes
from bringup.job import Job
Job("long", print, Path(sys.argv[2])).run(["sh", "-c", "sleep 600 & echo $! > " + sys.argv[2] + "/pid; wait"])
"""


def test_the_next_run_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    script = RUN.replace(
        'Job("long"', 'processes.remember.__defaults__ = (Path(sys.argv[2]) / "r",)\nJob("long"'
    )
    killed = subprocess.Popen([sys.executable, "-c", script, str(HACK), str(tmp_path)])
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "")
    until(lambda: any((tmp_path / "r").glob("[0-9]*")))
    left = int((tmp_path / "pid").read_text())
    assert processes.end_leftovers(tmp_path / "r") == [], "its starter lives"
    killed.kill()
    killed.wait()
    assert alive(left)
    assert len(processes.end_leftovers(tmp_path / "r")) == 1
    assert not alive(left)
    assert not list((tmp_path / "r").iterdir())


SLOW = "import time\nremember = processes.remember\n"
SLOW += "processes.remember = lambda child: time.sleep(0.5) or remember(child)\n"
"""The program runs already, and whoever started it does not yet know it."""


@pytest.mark.parametrize("start", ["", SLOW], ids=["started", "starting"])
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_way_of_stopping_ends_what_runs(tmp_path: Path, word: signal.Signals, start: str) -> None:
    handle = f"import signal\nfrom bringup import main, processes\n{start}"
    handle += "for word in main.STOPS: signal.signal(word, main.stop)\n"
    script = RUN.replace("from pathlib", f"{handle}from pathlib")
    run = subprocess.Popen(
        [sys.executable, "-c", script, str(HACK), str(tmp_path)],
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "")
    run.send_signal(word)
    assert run.wait(timeout=10) != 0
    left = int((tmp_path / "pid").read_text())
    until(lambda: not alive(left))
