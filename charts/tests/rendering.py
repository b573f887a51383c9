"""Charts rendered by helm itself, as bring-up installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bringup.refusals import Refusal
from bringup.tools import path as tool

from suuupra.testing import golden

CHARTS = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"

Object = dict[str, Any]


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Run helm: HELM, the one bring-up built, else the one on the path."""
    try:
        found = os.environ.get("HELM") or tool("helm")
    except Refusal as missing:
        pytest.fail(str(missing))
    return subprocess.run([found, *words], capture_output=True, text=True, check=False, timeout=60)


@dataclass(frozen=True)
class Chart:
    """A chart of this folder, and the namespace that its release is installed in."""

    name: str
    namespace: str

    @property
    def path(self) -> Path:
        return CHARTS / self.name

    @property
    def staging(self) -> tuple[str, str]:
        """The options that choose the staging values."""
        return "--values", str(self.path / "values-staging.yaml")

    def template(self, *options: str) -> subprocess.CompletedProcess[str]:
        """`helm template`, whatever comes of it."""
        return self._template(self.path, *options)

    def _template(self, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        where = ("--namespace", self.namespace, "--kube-version", "1.34.4")
        return helm("template", self.name, str(path), *where, *options)

    def text(self, *options: str) -> str:
        """The text of a render that must succeed."""
        done = self.template(*options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def render(self, *options: str) -> list[Object]:
        """Its objects."""
        return [item for item in yaml.load_all(self.text(*options), Loader=yaml.CSafeLoader) if item]

    def notes(self, *options: str) -> str:
        """What an install prints at its end. Without a cluster helm renders all but that, so here it is an object too."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self.name
            shutil.copytree(self.path, copy)
            notes = copy / "templates" / "NOTES.txt"
            lines = [f"  {line}\n" for line in notes.read_text().splitlines()]
            notes.with_name("notes.yaml").write_text("kind: Notes\ntext: |\n" + "".join(lines))
            notes.unlink()
            done = self._template(copy, *options, "--show-only", "templates/notes.yaml")
        assert done.returncode == 0, done.stderr
        text: str = yaml.safe_load(done.stdout)["text"]
        return text


def compare(name: str, rendered: str) -> None:
    """Fail when a render is not the one that was reviewed."""
    golden.compare(GOLDEN / f"{name}.yaml", rendered)


def named(objects: list[Object], kind: str, name: str) -> Object:
    return next(item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))


def workloads(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Pod specs of what runs for good, by its name."""
    for item in objects:
        if item["kind"] in ("Deployment", "StatefulSet"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Pod specs of everything that runs, hooks and tests included."""
    yield from workloads(objects)
    for item in objects:
        if item["kind"] == "Job":
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]


def without_chance(objects: list[Object]) -> str:
    """The render with random passwords and certificates replaced: what is left depends on the chart alone."""
    for item in objects:
        if item["kind"] == "Secret":
            item["data"] = dict.fromkeys(item["data"], "random")
        if item["kind"] == "APIService":
            item["spec"]["caBundle"] = "random"
    return yaml.safe_dump_all(objects, sort_keys=True)
