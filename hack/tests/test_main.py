"""What is said before any work: by a Python that does not do, by a machine without Docker."""

import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from bringup import bench, paths
from bringup.knobs import Knobs
from bringup.refusals import Refusal
from bringup.status import docker_missing
from bringup.up import what_to_try

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


def test_what_is_suggested_works_as_it_stands() -> None:
    shown = subprocess.run(
        ["bash", "-c", 'eval "$(make -s env)" && echo "$PATH"'],
        cwd=HACK.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith(f"{paths.BIN}:{paths.VENV / 'bin'}:")
    told = what_to_try("http://localhost:8080")
    assert told.index("make -s env") < told.index("kubectl ")
    assert all(line[53] == " " != line[54] for line in told.splitlines()[2:]), "the second column is in line"
