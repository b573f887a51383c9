"""The rule files that Prometheus is given for the services of this platform, and promtool to judge them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import getpid
from pathlib import Path

import yaml
from suuupra_operator import rule_files
from suuupra_operator.desired.rail import Rail
from suuupra_operator.desired.rail import resources as rail_resources
from suuupra_operator.desired.rules import rules
from suuupra_operator.desired.subject import Manifest, Subject
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec
from suuupra_operator.rail import PaymentRailSpec

from suuupra.testing.containers import LABEL, docker, image_of

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS_OWN = ROOT / "charts" / "suuupra-infra" / "files" / "own.rules.yaml"


def resources() -> list[Subject]:
    """Every resource of manifests/services, and those that rails make, as the operator reads them."""
    platform = SuuupraPlatformSpec.model_validate({})
    found = [
        yaml.safe_load(path.read_text()) for path in sorted((ROOT / "manifests/services").glob("*.yaml"))
    ]
    found += made_by_rails()
    return [
        Subject(
            one["metadata"]["namespace"],
            one["metadata"]["name"],
            "uid",
            SuuupraServiceSpec.model_validate(one["spec"]),
            platform,
        )
        for one in found
    ]


def made_by_rails() -> list[Manifest]:
    """The SuuupraService of each switch and bank of manifests/rails."""
    documents = [
        yaml.safe_load(path.read_text()) for path in sorted((ROOT / "manifests/rails").glob("*.yaml"))
    ]
    return [
        made
        for one in documents
        for made in rail_resources(
            Rail(
                one["metadata"]["namespace"],
                one["metadata"]["name"],
                "uid",
                PaymentRailSpec.model_validate(one["spec"]),
            )
        )
    ]


def texts() -> dict[str, str]:
    """File name → text, as the watcher beside Prometheus writes them, and Prometheus' own."""
    special = rule_files.read(ROOT / "services")
    made = {
        f"{one.namespace}_{one.name}-rules_{key}": text
        for one in resources()
        for key, text in rules(one, special.get(one.service, ""))["data"].items()
    }
    return made | {PROMETHEUS_OWN.name: PROMETHEUS_OWN.read_text()}


@dataclass(frozen=True)
class Promtool:
    """promtool of our Prometheus image, with `folder` as its working directory and rule `files` in it."""

    container: str
    folder: Path
    files: tuple[str, ...]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it once."""
        return subprocess.run(
            ["docker", "exec", self.container, "promtool", *words],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


@contextmanager
def promtool(folder: Path, files: tuple[str, ...]) -> Iterator[Promtool]:
    """One container for many runs: to start one takes longer than promtool does."""
    folder.chmod(0o755)
    container = docker(
        "run", "--detach", "--network", "none", "--label", f"{LABEL}={getpid()}",
        "--volume", f"{folder}:/rules:ro", "--workdir", "/rules",
        "--entrypoint", "sleep", image_of("prometheus"), "infinity",
    )  # fmt: skip
    try:
        yield Promtool(container, folder, files)
    finally:
        docker("rm", "--force", "--volumes", container)
