"""What is said before any work: by a Python that does not do, by a machine without Docker."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from bringup import bench, drills, paths, world
from bringup.cluster import Cluster
from bringup.knobs import Knobs, Profile
from bringup.refusals import Refusal
from bringup.status import docker_missing
from bringup.up import what_to_try
from world import people as world_people

HACK = Path(__file__).parents[1]
ENTRY = runpy.run_path(str(HACK / "__main__.py"))


def test_the_pythons_that_do_are_those_of_pyproject() -> None:
    told = tomllib.loads((HACK.parent / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, too_new = (".".join(map(str, ENTRY[name])) for name in ("OLDEST", "TOO_NEW"))
    assert told == f">={oldest},<{too_new}"


@pytest.mark.parametrize(
    ("version", "does"), [((2, 7, 18), False), ((3, 9, 6), False), ((3, 11, 2), True), ((3, 14, 0), False)]
)
def test_another_python_is_refused(version: tuple[int, ...], *, does: bool) -> None:
    assert ENTRY["supported"](version) is does


@pytest.mark.parametrize(
    ("client", "denied", "answers", "told"),
    [
        (None, False, None, "not installed"),
        ("docker", True, None, "may not ask"),
        ("docker", False, None, "make up brings it and the cluster back, data kept"),
        ("docker", False, (20, 10), None),
    ],
)
def test_status_says_why_nothing_can_be_known(
    client: object, answers: object, told: str | None, *, denied: bool
) -> None:
    reason = docker_missing(client=client, denied=denied, answers=answers)
    assert reason is None if told is None else told in (reason or "")


def test_status_on_a_machine_without_docker(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, str(HACK), "status"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert asked.returncode == 1
    assert "Docker is not installed" in asked.stdout
    assert not asked.stderr


def test_bench_before_up_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "VENV", tmp_path)
    with pytest.raises(Refusal, match="run `make up` first"):
        bench.bench(Knobs(), [])


def test_every_drill_is_told_of_by_name() -> None:
    told = subprocess.run(["make", "drill"], cwd=HACK.parent, capture_output=True, text=True, check=True)
    scripts = {path.stem for path in (HACK.parent / "tests" / "recovery").glob("*.py")} - {"__init__"}
    assert {"machine_restart", "outage"} <= scripts
    assert scripts == set(re.findall(r"^make drill name=(\w+)$", told.stdout, re.MULTILINE))
    assert "Kafka and PostgreSQL hang for ten minutes each" in told.stdout


def test_a_drill_of_another_name_is_refused() -> None:
    with pytest.raises(Refusal, match=r"no drill earthquake.*\n.*choose one of machine_restart, outage"):
        drills.drill("earthquake", [])


def test_a_drill_is_run_with_its_words_where_it_finds_what_it_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$PYTHONPATH" "$@" > "$DRILL_TOLD"; exit 3\n')
    python.chmod(0o755)
    monkeypatch.setattr(paths, "VENV", tmp_path)
    monkeypatch.setenv("DRILL_TOLD", str(tmp_path / "told"))
    assert drills.drill("outage", ["60"]) == 3
    ways = f"{paths.HACK}:{paths.ROOT / 'operator' / 'tests'}"
    assert (tmp_path / "told").read_text() == f"{ways} -m tests.recovery.outage 60\n"


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ([], "hack drill"),
        (["name=outage"], "hack drill outage"),
        (["name=machine_restart", "yes=1"], "hack drill machine_restart --yes"),
    ],
)
def test_make_hands_a_drills_name_on(given: list[str], called: str) -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "drill", *given],
        cwd=HACK.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip().endswith(called)


def test_what_is_suggested_works_as_it_stands() -> None:
    shown = subprocess.run(
        ["bash", "-c", 'unset MAKEFLAGS; eval "$(make -s env)" && echo "$PATH"'],
        cwd=HACK.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith(f"{paths.BIN}:{paths.VENV / 'bin'}:")
    told = what_to_try(Knobs())
    assert told.index("make -s env") < told.index("kubectl ")


@pytest.mark.parametrize("profile", get_args(Profile))
def test_people_and_pages_of_the_small_world_are_suggested_only_where_it_is_made(profile: Profile) -> None:
    knobs = Knobs(profile=profile)
    told = what_to_try(knobs)
    assert all(line[53] == " " != line[54] for line in told.splitlines()[2:]), "the second column is in line"
    made = world.is_there(Cluster("none", 0, 0), knobs) is None
    assert made == (profile == "local")
    for word in (world_people.PASSWORD, world_people.DOMAIN, "PIN", "/mail", "/phone", "/support"):
        assert (word in told) == made, word
    for always in (f"open {knobs.public_url} ", "kubectl get suuupra -A", "make status"):
        assert always in told
