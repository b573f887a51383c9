"""`make down`: what it deletes, in which order, and when it refuses."""

import os
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
from bringup import clusters, docker, leftovers, locks, main, paths, status, tools, up
from bringup.cluster import Cluster
from bringup.down import down, way_to_docker
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.leftovers import order_of_removal, tool_caches
from bringup.locks import Lock
from bringup.refusals import Refusal

ROOT = Path(__file__).parents[2]


def test_images_go_before_those_they_were_made_from() -> None:
    created = {
        "base": "2026-11-24T16:29:17.591490622Z",
        "stage": "2026-11-24T16:29:17.6Z",
        "pulled": "2026-10-01T00:00:00+02:00",
        "service": "2026-11-24T16:30:00Z",
    }
    assert order_of_removal(created) == ["service", "stage", "base", "pulled"]


@pytest.mark.parametrize(
    ("client", "answers", "may_start", "way"),
    [
        (False, False, True, "none"),
        (True, True, False, "ask"),
        (True, False, True, "start"),
    ],
)
def test_a_stopped_docker_is_started_rather_than_taken_for_empty(
    way: str, *, client: bool, answers: bool, may_start: bool
) -> None:
    assert way_to_docker(client=client, answers=answers, may_start=may_start) == way


def test_where_docker_may_not_be_started_nothing_is_deleted() -> None:
    with pytest.raises(Refusal, match="does not answer"):
        way_to_docker(client=True, answers=False, may_start=False)


def test_it_is_about_every_cluster_that_the_knobs_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are locked first, and none is touched where somebody is at work on one."""
    held: list[str] = []

    def keep(lock: Lock) -> None:
        held.append(lock.what)
        if len(held) == len(clusters.every(knobs)):
            raise Refusal("at work", "wait for it")

    knobs = Knobs(cluster="a", test_cluster="b", operator_test_cluster="c")
    monkeypatch.setattr(locks, "keep", keep)
    monkeypatch.setattr(up, "only_one", lambda *, alone: nullcontext())
    with pytest.raises(Refusal, match="at work"):
        down(knobs, yes=True, purge=False)
    assert held == ["cluster a", "cluster b", "cluster c"]


class Machine:
    """Stands for one with two clusters of the three: what is deleted, and what the user is asked."""

    def __init__(self, answer: str | None) -> None:
        self.there = {"a", "b"}
        self.deleted: list[str] = []
        self.questions: list[str] = []
        self._answer = answer

    def ask(self, question: str) -> str:
        self.questions.append(question)
        assert self._answer is not None, "there is nobody to ask"
        return self._answer


class StandIn:
    """A cluster of that machine."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.name = name
        self._machine = machine

    def state(self) -> str:
        return "running" if self.name in self._machine.there else "absent"

    def delete(self, _: Job) -> None:
        self._machine.there.discard(self.name)
        self._machine.deleted.append(f"cluster {self.name}")


@pytest.fixture
def answer() -> str | None:
    """What is typed; None where nobody sits at a terminal."""
    return None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str | None) -> Machine:
    made = Machine(answer)
    ours = [StandIn(made, name) for name in "abc"]
    monkeypatch.setattr(clusters, "every", lambda _knobs: ours)
    monkeypatch.setattr(locks, "keep", lambda _lock: None)
    monkeypatch.setattr(up, "only_one", lambda *, alone: nullcontext())
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(docker, "client", lambda: "docker")
    monkeypatch.setattr(docker, "server_version", lambda: (27, 0))
    monkeypatch.setattr(
        leftovers, "remove_test_containers", lambda _job: made.deleted.append("tests' containers")
    )
    monkeypatch.setattr("bringup.down._remove_network", lambda _job: made.deleted.append("network"))
    monkeypatch.setattr("bringup.down._purge", lambda _job, *, running: made.deleted.append("caches"))
    monkeypatch.setattr(tools, "forget", lambda folder: made.deleted.append(str(folder)))
    monkeypatch.setattr("sys.stdin.isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("builtins.input", made.ask)
    return made


ALL_BUT_CACHES = ["cluster a", "cluster b", "tests' containers", "network", str(paths.STATE)]


@pytest.mark.parametrize("answer", ["", "n", "no", "what?"])
def test_whoever_is_asked_and_does_not_agree_keeps_everything(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not down(Knobs(), yes=False, purge=False)
    assert machine.questions == ["Delete cluster a and b with all data? [y/N] "]
    assert machine.deleted == []
    assert "Nothing was deleted." in capsys.readouterr().out


def test_where_nobody_can_be_asked_nothing_is_deleted_and_the_way_is_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not down(Knobs(), yes=False, purge=True)
    assert machine.deleted == []
    told = capsys.readouterr().out
    assert "deletes cluster a and b with all data" in told
    assert "make down yes=1" in told
    assert "Nothing was deleted." in told


@pytest.mark.parametrize("answer", ["y", "Y", " yes "])
def test_whoever_agrees_is_left_with_nothing_but_caches(machine: Machine) -> None:
    assert down(Knobs(), yes=False, purge=False)
    assert len(machine.questions) == 1
    assert machine.deleted == ALL_BUT_CACHES


def test_yes_is_not_asked_and_is_left_with_nothing_but_caches(machine: Machine) -> None:
    assert down(Knobs(), yes=True, purge=False)
    assert machine.questions == []
    assert machine.deleted == ALL_BUT_CACHES


def test_purge_takes_the_caches_too(machine: Machine) -> None:
    assert down(Knobs(), yes=True, purge=True)
    assert machine.deleted == [*ALL_BUT_CACHES, "caches"]


def test_where_there_is_no_cluster_nobody_is_asked(machine: Machine) -> None:
    machine.there.clear()
    assert down(Knobs(), yes=False, purge=False)
    assert machine.questions == []
    assert machine.deleted == ["tests' containers", "network", str(paths.STATE)]


def test_tools_own_folders_are_found_and_nobody_elses(tmp_path: Path) -> None:
    wanted = [".mypy_cache", "a/__pycache__", "a/b/.pytest_cache", ".hypothesis"]
    others = [".git/__pycache__", ".venv/lib/__pycache__", "a/code"]
    for name in [*wanted, *others]:
        (tmp_path / name).mkdir(parents=True)
    assert tool_caches(tmp_path) == sorted(tmp_path / name for name in wanted)


def test_what_we_run_keeps_its_caches_where_purge_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, str] = {}

    def show(_cluster: Cluster) -> bool:
        found.update({name: os.environ[name] for name in ("KUBECACHEDIR", "npm_config_cache")})
        return True

    for name in ("KUBECACHEDIR", "npm_config_cache"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setattr(status, "show", show)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["make", "status"])
    assert main.main() == 0
    assert len(found) == 2
    assert all(Path(folder).is_relative_to(paths.CACHE) for folder in found.values())


def test_what_tests_run_keeps_its_caches_where_purge_takes_them() -> None:
    for name in ("KUBECACHEDIR", "npm_config_cache"):
        assert Path(os.environ[name]).is_relative_to(paths.CACHE)
    tests = ROOT.glob("services/*/tests/*.py")
    assert [path for path in tests if '/ ".cache"' in path.read_text()] == [], "purge spares that folder"


@pytest.mark.parametrize(
    ("given", "option", "there"),
    [
        ("yes=1", "--yes", True),
        ("yes=true", "--yes", True),
        ("yes=0", "--yes", False),
        ("yes=no", "--yes", False),
        ("purge=1", "--purge", True),
        ("purge=0", "--purge", False),
    ],
)
def test_a_flag_of_make_may_be_turned_off(given: str, option: str, *, there: bool) -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "down", given], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (option in shown.stdout) is there
