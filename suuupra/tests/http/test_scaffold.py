"""A service from one command: right by the same lints, types and tests as those written by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import suuupra
from suuupra import names, scaffold
from suuupra.discovery import Service

PROJECT = Path(suuupra.__file__).parents[1]
LIMIT = 280
"""Seconds for one tool, on a machine that runs everything else beside it."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder with the kit in it and no service."""
    (tmp_path / "services").mkdir()
    shutil.copy(PROJECT / "services" / "__init__.py", tmp_path / "services")
    for part in ("suuupra", "operator", "conftest.py"):
        (tmp_path / part).symlink_to(PROJECT / part)
    return tmp_path


def _tool(root: Path, *words: str) -> None:
    """Run `python WORDS…` of this environment in `root`."""
    path = os.pathsep.join(map(str, (root, root / "operator")))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_service_has_every_required_room_and_a_resource(root: Path) -> None:
    made = scaffold.new("live-classes", root)
    service = Service("live-classes", root / "services" / "live_classes")
    assert all((root / path).is_file() for path in made)
    for room in (
        "contract",
        "settings",
        "domain",
        "store",
        "usecases",
        "api",
        "app",
        "migrations",
        "ops",
        "tests",
    ):
        assert service.has(room), room
    assert (service.path / "README.md").is_file()
    resource = yaml.safe_load((root / "manifests" / "services" / "live-classes.yaml").read_text())
    assert resource["metadata"]["name"] == "live-classes"
    assert resource["spec"]["events"]["publishes"][0]["topic"] == "live-classes.added"


@pytest.mark.parametrize("name", ["a", "live-classes", "a-name-as-long-as-names-may-ever-become1"])
def test_new_service_is_clean_whatever_its_name(root: Path, name: str) -> None:
    scaffold.new(name, root)
    settings = ("--config", str(PROJECT / "pyproject.toml"))
    _tool(root, "-m", "ruff", "check", *settings, "services")
    _tool(root, "-m", "ruff", "format", "--check", "--diff", *settings, "services")


def test_new_service_is_typed(root: Path) -> None:
    scaffold.new("exams", root)
    writable = PROJECT if os.access(PROJECT, os.W_OK) else root
    cache = os.environ.get("MYPY_CACHE_DIR", str(writable / ".mypy_cache"))
    _tool(
        root,
        "-m",
        "mypy",
        "--config-file",
        str(PROJECT / "pyproject.toml"),
        "--cache-dir",
        cache,
        "-p",
        "services.exams",
    )


def test_new_service_keeps_to_the_import_contracts(root: Path) -> None:
    scaffold.new("exams", root)
    program = str(Path(sys.executable).parent / "lint-imports")
    _tool(root, program, "--config", str(PROJECT / "pyproject.toml"), "--no-cache")


@pytest.mark.parametrize(
    "marked", ["not integration", pytest.param("integration", marks=pytest.mark.integration)]
)
def test_new_service_passes_its_own_tests(root: Path, marked: str) -> None:
    scaffold.new("exams", root)
    project = ("-c", str(PROJECT / "pyproject.toml"), "--rootdir", str(root))
    _tool(root, "-m", "pytest", *project, "-p", "no:cacheprovider", "-m", marked, "services/exams")


def test_nothing_is_overwritten(root: Path) -> None:
    scaffold.new("exams", root)
    kept = root / "services" / "exams" / "domain.py"
    kept.write_text("mine")
    with pytest.raises(scaffold.Refused, match="services/exams is there already"):
        scaffold.new("exams", root)
    assert kept.read_text() == "mine"


def test_resource_that_is_there_already_is_not_overwritten_and_nothing_else_is_written(root: Path) -> None:
    manifest = root / "manifests" / "services" / "exams.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("mine")
    with pytest.raises(scaffold.Refused, match=r"manifests/services/exams\.yaml is there already"):
        scaffold.new("exams", root)
    assert not (root / "services" / "exams").exists()
    assert manifest.read_text() == "mine"


@pytest.mark.parametrize("name", ["Exams", "live_classes", "../evil", "class", "1st"])
def test_name_that_cannot_be_one_is_refused(root: Path, name: str) -> None:
    with pytest.raises(names.InvalidName):
        scaffold.new(name, root)


def test_name_of_a_command_is_refused(root: Path) -> None:
    with pytest.raises(scaffold.Refused, match="is a command"):
        scaffold.new("serve", root, commands={"serve"})


def test_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(scaffold.Refused, match="is not the project's folder"):
        scaffold.new("exams", tmp_path)
