"""`make test` leaves no test out, whichever way it is cut into processes."""

import subprocess
import tomllib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import pytest
from bringup import checks, clusters, parts, paths, pins, plan, unchanged, up, way
from bringup.cluster import Cluster
from bringup.knobs import Knobs, read
from bringup.refusals import Refusal

EVERYTHING = unchanged.decide(checks._kinds(fast=False), {}, {}, fast=False)


def test_every_folder_with_tests_is_in_one_part_of_the_unit_tests() -> None:
    settings = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
    named = [folder for folders in checks.UNIT.values() for folder in folders]
    assert sorted(named) == sorted(settings["tool"]["pytest"]["ini_options"]["testpaths"])


def test_every_file_of_tests_is_in_one_part_that_is_remembered() -> None:
    units = checks._kinds(fast=True)[checks.UNITS]
    for path in _tests():
        assert sum(path.is_relative_to(paths.ROOT / part) for part in units) == 1, path


def test_every_file_with_integration_tests_is_in_the_heap_once() -> None:
    marked = {path for path in _tests() if "pytest.mark.integration" in path.read_text()}
    heap = checks._kinds(fast=True)[checks.HEAP]
    assert len(marked) > 10
    for path in marked:
        assert sum(path.is_relative_to(paths.ROOT / part) for part in heap) == 1, path


def test_every_test_of_a_cluster_is_in_the_folder_by_which_its_kind_is_remembered() -> None:
    kinds = checks._kinds(fast=False)
    for kind, mark, below in (
        (checks.CLUSTER, "cluster", "tests"),
        (checks.JOURNEY, "journey", "tests"),
        (checks.OPERATOR, "cluster", "operator"),
    ):
        marked = [path for path in (paths.ROOT / below).rglob("*.py") if f"mark.{mark}" in path.read_text()]
        assert marked
        (folder,) = kinds[kind]
        assert [path for path in marked if not path.is_relative_to(paths.ROOT / folder)] == []


@pytest.mark.parametrize(
    ("taken", "node"), [("packages", pins.local_node()), ("registry", pins.PUBLISHED_NODE)]
)
def test_the_operators_tests_are_told_the_cluster_and_the_node_image_of_this_very_run(
    taken: Literal["packages", "registry"], node: str
) -> None:
    knobs = Knobs(
        operator_test_cluster="mine", operator_test_http_port=4000, operator_test_metrics_port=4001
    ).for_tests()
    run = plan.Run(knobs, clusters.of_tests(knobs), way.Choice(taken, "it was"))
    told = checks._operator(run, EVERYTHING).env
    assert told["SUUUPRA_TEST_NODE_IMAGE"] == node
    assert "operator=suuupra/operator:" in told["SUUUPRA_TEST_IMAGES"]
    written = "UP_OPERATOR_TEST_CLUSTER=another"
    assert clusters.of_operator_tests(read(written, told)) == clusters.of_operator_tests(knobs)


@pytest.mark.parametrize("fast", [False, True])
def test_every_cluster_that_is_to_come_is_looked_at_before_any_work(
    monkeypatch: pytest.MonkeyPatch, *, fast: bool
) -> None:
    asked: list[str] = []

    def refuse(_: Knobs, wanted: Sequence[Cluster]) -> None:
        asked.extend(knob for cluster in wanted for knob in cluster.ports.values())
        raise Refusal("taken", "stop it")

    monkeypatch.setattr(up, "check", refuse)
    monkeypatch.setattr(up, "only_one", nullcontext)
    with pytest.raises(Refusal):
        checks.test(Knobs(), fast=fast, anew=False)
    whole = [f"UP_{whose}TEST_{what}_PORT" for whose in ("", "OPERATOR_") for what in ("HTTP", "METRICS")]
    assert asked == ([] if fast else whole)


def _tests() -> set[Path]:
    folders = (folder for folders in checks.UNIT.values() for folder in folders)
    return {path for folder in folders for path in (paths.ROOT / folder).rglob("test_*.py")} - {
        Path(__file__)
    }


def test_the_image_is_given_no_test_that_needs_make_or_helm() -> None:
    asked = checks._in_image(Knobs(), EVERYTHING).argv
    assert {"suuupra", *parts.within(["services"], paths.ROOT), "operator", "tests"} <= {*asked}
    assert not {"hack/tests", "charts/tests"} & {*asked}


def test_what_is_left_out_starts_no_program_and_needs_no_cluster() -> None:
    kinds = checks._kinds(fast=False)
    keys = {unchanged.name(kind, folder): "k" for kind, folders in kinds.items() for folder in folders}
    past = {part: unchanged.Past("k", fast=False, date="2026-11-30 20:51", commit="abc1234") for part in keys}
    nothing = unchanged.decide(kinds, keys, past, fast=False)
    run = plan.Run(Knobs(), clusters.of_tests(Knobs()))
    computing = {check.name: check for check in checks._computing(run.knobs, nothing, fast=False)}
    always = {"types", "lint", "format", "import contracts", "conformance"}
    assert {name for name, check in computing.items() if check.argv} == always
    assert not any(check.argv for check in checks._integration(run.knobs, nothing, fast=False))
    assert checks._operator(run, nothing).argv == ()
    platform = checks._on_the_platform(run, nothing)
    assert [(one.name, one.mark) for one in platform] == [
        (kind, "unchanged") for kind in ("cluster", "journey, Chromium")
    ]


def test_only_parts_that_are_due_are_given_to_pytest() -> None:
    kinds = {
        checks.UNITS: ["services/ledger", "services/web", "suuupra"],
        checks.HEAP: ["services/web", "suuupra"],
    }
    past = {
        unchanged.name(kind, folder): unchanged.Past("k", fast=True, date="", commit="")
        for kind, folder in (
            (checks.UNITS, "services/web"),
            (checks.UNITS, "suuupra"),
            (checks.HEAP, "suuupra"),
        )
    }
    some = unchanged.decide(kinds, dict.fromkeys(past, "k"), past, fast=True)
    services, kit, *_ = checks._computing(Knobs(), some, fast=True)
    assert "services/ledger" in services.argv
    assert "services/web" not in services.argv
    assert services.proves == {"unit: services/ledger": "services/ledger"}
    assert kit.argv == ()
    for share in checks._integration(Knobs(), some, fast=True):
        assert {"services/web", "suuupra"} & {*share.argv} == {"services/web"}
        assert share.proves == {"integration: services/web": "services/web"}


@pytest.mark.parametrize(("given", "said"), [("anew=1", "--anew"), ("fast=1 anew=1", "--fast --anew")])
def test_make_hands_on_what_it_is_told(given: str, said: str) -> None:
    argv = ["make", "--dry-run", "test", *given.split()]
    done = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert said in " ".join(done.stdout.split())
