"""Steps with prerequisites: run in parallel where they may, skipped where the world shows they are done.

Nothing is written down about what was finished: each step looks at what exists. So a run that was cut off
is taken up by simply running again, and a step whose result somebody removed runs again by itself.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from bringup.display import Display
from bringup.job import Cancelled, Job

AT_ONCE = 3
"""Two that compile or build and one that waits for the network: more only thrashes two cores."""


def never() -> str | None:
    """For a step that always has something to look at."""
    return None


@dataclass(frozen=True)
class Step:
    """A unit of bring-up.

    `done` returns why there is nothing to do, or None. `after` names the steps whose results it needs.
    """

    name: str
    title: str
    run: Callable[[Job], None]
    after: tuple[str, ...] = ()
    done: Callable[[], str | None] = never


@dataclass(frozen=True)
class Outcome:
    """How one step ended."""

    step: Step
    what: str
    seconds: float


class StepFailed(Exception):
    """A step ended badly; `cause` says how, `job` has the log."""

    def __init__(self, step: Step, job: Job, cause: BaseException) -> None:
        super().__init__(f"{step.title}: {cause}")
        self.step, self.job, self.cause = step, job, cause


def ready_to_start(steps: Sequence[Step], finished: set[str], started: set[str]) -> list[Step]:
    """Steps not yet started whose prerequisites are finished, in the order given."""
    return [step for step in steps if step.name not in started and finished.issuperset(step.after)]


def check_order(steps: Iterable[Step]) -> None:
    """Refuse a plan in which a step waits for one that comes later or not at all."""
    seen: set[str] = set()
    for step in steps:
        if unknown := set(step.after) - seen:
            raise ValueError(f"step {step.name} is listed before {', '.join(sorted(unknown))}")
        seen.add(step.name)


def run_all(steps: Sequence[Step], display: Display) -> list[Outcome]:
    """Run every step once; results in the order of finishing.

    Raises:
        StepFailed: the first failure, after the others under way were ended.
    """
    check_order(steps)
    runner = _Runner(steps, display)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        try:
            return runner.drive(pool)
        except BaseException:
            runner.cancel()
            raise


class _Runner:
    def __init__(self, steps: Sequence[Step], display: Display) -> None:
        self._steps, self._display = steps, display
        self._numbers = {step.name: number for number, step in enumerate(steps, start=1)}
        self._jobs: list[Job] = []
        self._stopped = threading.Event()
        self._started: set[str] = set()
        self._finished: set[str] = set()
        self._outcomes: list[Outcome] = []

    def drive(self, pool: ThreadPoolExecutor) -> list[Outcome]:
        running: set[Future[Outcome]] = set()
        while len(self._finished) < len(self._steps):
            for step in ready_to_start(self._steps, self._finished, self._started)[: AT_ONCE - len(running)]:
                self._started.add(step.name)
                running.add(pool.submit(self._one, step))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                outcome = future.result()
                self._outcomes.append(outcome)
                self._finished.add(outcome.step.name)
        return self._outcomes

    def cancel(self) -> None:
        self._stopped.set()
        for job in list(self._jobs):
            job.cancel()

    def _one(self, step: Step) -> Outcome:
        number, began = self._numbers[step.name], time.monotonic()
        job = Job(step.name, self._display.say)
        self._jobs.append(job)
        if self._stopped.is_set():
            job.cancel()
        try:
            job.go_on()
            nothing_to_do = step.done()
            if nothing_to_do is None:
                self._display.start(number, step.title, job)
                step.run(job)
        except BaseException as cause:
            mark = "-" if isinstance(cause, Cancelled) else "✗"
            self._display.finish(number, mark, step.title, time.monotonic() - began)
            raise StepFailed(step, job, cause) from cause
        seconds = time.monotonic() - began
        mark, what = ("✓", "done") if nothing_to_do is None else ("=", nothing_to_do)
        self._display.finish(number, mark, step.title if mark == "✓" else f"{step.title}: {what}", seconds)
        return Outcome(step, what, seconds)
