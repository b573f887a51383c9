"""Steps: order, skipping, and going on after a run that was cut off."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from bringup import job as job_module
from bringup.display import Display
from bringup.job import Job
from bringup.steps import Outcome, Step, StepFailed, check_order, ready_to_start, run_all


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module.Job.__init__, "__defaults__", (print, tmp_path))


class World:
    """Stands for the machine: what exists, and what was made in which order."""

    def __init__(self) -> None:
        self.exists: set[str] = set()
        self.made: list[str] = []

    def step(self, name: str, after: tuple[str, ...] = (), fails: Callable[[], bool] = lambda: False) -> Step:
        def make(_: Job) -> None:
            if fails():
                raise RuntimeError(f"{name} broke")
            self.made.append(name)
            self.exists.add(name)

        return Step(name, name.title(), make, after, lambda: "is there" if name in self.exists else None)


def run(*steps: Step) -> tuple[list[Outcome], str]:
    out = io.StringIO()
    with Display(len(steps), out) as display:
        return run_all(steps, display), out.getvalue()


def test_prerequisites_come_first() -> None:
    world = World()
    run(world.step("a"), world.step("b", ("a",)), world.step("c", ("b",)))
    assert world.made == ["a", "b", "c"]


def test_a_run_that_was_cut_off_goes_on_where_it_was() -> None:
    world, broken = World(), [True]
    steps = (world.step("a"), world.step("b", ("a",), fails=lambda: broken[0]), world.step("c", ("b",)))
    with pytest.raises(StepFailed, match="b broke"):
        run(*steps)
    broken.clear()
    broken.append(False)
    outcomes, _ = run(*steps)
    assert world.made == ["a", "b", "c"]
    assert [outcome.what for outcome in outcomes] == ["is there", "done", "done"]


def test_a_result_somebody_removed_is_made_again() -> None:
    world = World()
    steps = (world.step("a"), world.step("b", ("a",)))
    run(*steps)
    world.exists.discard("a")
    run(*steps)
    assert world.made == ["a", "b", "a"]


def test_running_twice_does_nothing_the_second_time() -> None:
    world = World()
    steps = (world.step("a"), world.step("b"))
    run(*steps)
    _, shown = run(*steps)
    assert sorted(world.made) == ["a", "b"]
    assert "[ 1/2] = A: is there" in shown


def test_nothing_starts_before_all_it_needs() -> None:
    world = World()
    a, b, c = world.step("a"), world.step("b"), world.step("c", ("a", "b"))
    assert ready_to_start([a, b, c], finished={"a"}, started={"a"}) == [b]
    assert ready_to_start([a, b, c], finished={"a", "b"}, started={"a", "b"}) == [c]


def test_a_plan_out_of_order_is_refused() -> None:
    world = World()
    with pytest.raises(ValueError, match="step b is listed before a"):
        check_order([world.step("b", ("a",)), world.step("a")])


def test_a_failure_names_its_step_and_its_log() -> None:
    world = World()
    with pytest.raises(StepFailed) as failure:
        run(world.step("a", fails=lambda: True))
    assert failure.value.step.name == "a"
    assert failure.value.job.log.name == "a.log"
