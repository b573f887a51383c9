"""`make test` leaves no test out, whichever way it is cut into processes."""

import tomllib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import pytest
from bringup import checks, clusters, paths, pins, plan, up, way
from bringup.cluster import Cluster
from bringup.knobs import Knobs, read
from bringup.refusals import Refusal


def test_every_folder_with_tests_is_in_one_part_of_the_unit_tests() -> None:
    settings = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
    named = [folder for folders in checks.UNIT.values() for folder in folders]
    assert sorted(named) == sorted(settings["tool"]["pytest"]["ini_options"]["testpaths"])


def test_every_file_with_integration_tests_is_in_the_heap_once() -> None:
    marked = {path for path in _tests() if "pytest.mark.integration" in path.read_text()}
    assert len(marked) > 10
    for path in marked:
        assert sum(path.is_relative_to(paths.ROOT / part) for part in checks.INTEGRATION) == 1, path


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
    told = checks._operator(run).env
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
        checks.test(Knobs(), fast=fast)
    whole = [f"UP_{whose}TEST_{what}_PORT" for whose in ("", "OPERATOR_") for what in ("HTTP", "METRICS")]
    assert asked == ([] if fast else whole)


def _tests() -> set[Path]:
    folders = (folder for folders in checks.UNIT.values() for folder in folders)
    return {path for folder in folders for path in (paths.ROOT / folder).rglob("test_*.py")} - {
        Path(__file__)
    }


def test_the_image_is_given_no_test_that_needs_make_or_helm() -> None:
    asked = checks._in_image("suuupra/tests:1")
    assert {"suuupra", "services", "operator", "tests"} <= {*asked}
    assert not {"hack/tests", "charts/tests"} & {*asked}
