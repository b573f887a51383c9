"""`make test` leaves no test out, whichever way it is cut into processes."""

import tomllib
from pathlib import Path

from bringup import checks, paths


def test_every_folder_with_tests_is_in_one_part_of_the_unit_tests() -> None:
    settings = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
    named = [folder for folders in checks.UNIT.values() for folder in folders]
    assert sorted(named) == sorted(settings["tool"]["pytest"]["ini_options"]["testpaths"])


def test_every_file_with_integration_tests_is_in_the_heap_once() -> None:
    marked = {path for path in _tests() if "pytest.mark.integration" in path.read_text()}
    assert len(marked) > 10
    for path in marked:
        assert sum(path.is_relative_to(paths.ROOT / part) for part in checks.INTEGRATION) == 1, path


def _tests() -> set[Path]:
    folders = (folder for folders in checks.UNIT.values() for folder in folders)
    return {path for folder in folders for path in (paths.ROOT / folder).rglob("test_*.py")} - {
        Path(__file__)
    }


def test_the_image_is_given_no_test_that_needs_make_or_helm() -> None:
    asked = checks._in_image("suuupra/tests:1")
    assert {"suuupra", "services", "operator", "tests"} <= {*asked}
    assert not {"hack/tests", "charts/tests"} & {*asked}
