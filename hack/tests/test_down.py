"""`make down`: what it deletes, in which order, and when it refuses."""

import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
from bringup import clusters, locks, up
from bringup.down import down, way_to_docker
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


def test_tools_own_folders_are_found_and_nobody_elses(tmp_path: Path) -> None:
    wanted = [".mypy_cache", "a/__pycache__", "a/b/.pytest_cache", ".hypothesis"]
    others = [".git/__pycache__", ".venv/lib/__pycache__", "a/code"]
    for name in [*wanted, *others]:
        (tmp_path / name).mkdir(parents=True)
    assert tool_caches(tmp_path) == sorted(tmp_path / name for name in wanted)


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
