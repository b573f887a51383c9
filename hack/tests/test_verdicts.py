"""What `make test` tells: the failure's own words in full, the table last, and shares that add up."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bringup import checks, coverage, plan, verdicts
from bringup.cluster import Cluster
from bringup.display import Display
from bringup.knobs import Knobs
from bringup.steps import check_order
from bringup.verdicts import Check, Verdict

PYTEST = """....F
=================================== FAILURES ===================================
___________ test_something ___________
E   AssertionError: it is not so
---------------------- the cluster at that moment ----------------------
content: Ready=False DatabaseAway
=========================== short test summary info ============================
FAILED tests/test_x.py::test_something
1 failed, 4 passed, 2 deselected in 3.21s
"""


def run() -> plan.Run:
    return plan.Run(Knobs(), Cluster("suuupra-test", 18080, 19090))


def test_a_failed_pytest_is_told_from_its_failures_on() -> None:
    told = verdicts.complaint(PYTEST)
    assert told.startswith("=")
    assert "content: Ready=False DatabaseAway" in told


def test_a_very_long_failure_keeps_its_beginning_and_its_end() -> None:
    told = verdicts.complaint(PYTEST + "\n".join(map(str, range(5000))))
    assert "test_something" in told
    assert told.endswith("4999")
    assert len(told.splitlines()) <= verdicts.LINES + 1


def test_another_program_is_told_by_its_last_lines() -> None:
    assert verdicts.complaint("one\ntwo\n") == "one\ntwo"


def test_pytests_own_count_is_found() -> None:
    assert verdicts.counts(PYTEST) == "1 failed, 4 passed, 2 deselected"
    assert verdicts.counts("All checks passed!") == ""


def test_the_table_comes_after_what_failed() -> None:
    told = verdicts.summary(
        [Verdict("lint", False, 1.0, words="line too long"), Verdict("types", True, 61)], 62
    )
    assert told.index("line too long") < told.index("FAILED") < told.index("1 of 2 checks passed in 1:02")


def test_a_check_s_files_are_named_after_it() -> None:
    assert Check("unit, Python 3.11", ()).slug == "unit-python-3-11"


def test_coverage_is_summed_by_part() -> None:
    files = {
        "services/web/api.py": {"covered_lines": 1, "num_statements": 2},
        "services/web/domain.py": {"covered_lines": 2, "num_statements": 2},
        "suuupra/db.py": {"covered_lines": 0, "num_statements": 4},
    }
    assert coverage.shares(files) == {"suuupra": 0.0, "web": 75.0}


@pytest.fixture
def display() -> Iterator[Display]:
    with Display(1) as shown:
        yield shown


def check_of(folder: Path, body: str) -> Check:
    """A check of one file of tests, with a second try, as `make test` makes them."""
    (folder / "test_some.py").write_text(body)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return checks._tests(folder.name, "--rootdir", str(folder), str(folder))


PASSES_AT_THE_SECOND = """
from pathlib import Path

def test_well() -> None:
    seen = Path(__file__).with_name("well")
    assert not seen.exists(), "what passed is not run again"
    seen.touch()

def test_flaky() -> None:
    seen = Path(__file__).with_name("flaky")
    was_there = seen.exists()
    seen.touch()
    assert was_there, "not yet"
"""


def test_what_passes_when_it_alone_is_run_once_more_is_flaky_and_told(
    tmp_path: Path, display: Display
) -> None:
    verdict = verdicts.run(1, check_of(tmp_path, PASSES_AT_THE_SECOND), display)
    assert verdict.passed
    assert verdict.flaky
    assert verdict.told == "1 failed, 1 passed, which passed when run once more"
    told = verdicts.summary([verdict], 1.0)
    assert "not yet" in told
    assert told.endswith("1 of 1 checks passed in 1.0s, 1 flaky")


IN_TWO_FOLDERS = {"A": "a", "B": "b"}


def of_two_folders(folder: Path, second: str) -> Check:
    for name, body in (("a", "def test_a() -> None:\n    pass\n"), ("b", second)):
        (folder / name).mkdir()
        (folder / name / f"test_{name}.py").write_text(body)
    (folder / "pytest.ini").write_text("[pytest]\n")
    check = checks._tests(folder.name, "--rootdir", str(folder), str(folder))
    return replace(check, proves=IN_TWO_FOLDERS)


def test_a_folder_without_a_failure_is_proved_beside_one_that_has_some(
    tmp_path: Path, display: Display
) -> None:
    failing = of_two_folders(tmp_path, "def test_b() -> None:\n    assert False\n")
    verdict = verdicts.run(1, failing, display)
    assert (verdict.proved, verdict.doubted) == (frozenset("A"), frozenset("B"))


def test_what_passed_only_when_run_once_more_is_not_proved(tmp_path: Path, display: Display) -> None:
    verdict = verdicts.run(1, of_two_folders(tmp_path, PASSES_AT_THE_SECOND), display)
    assert verdict.flaky
    assert (verdict.proved, verdict.doubted) == (frozenset("A"), frozenset("B"))


@pytest.mark.parametrize(
    "body", ["import os\n\ndef test_b() -> None:\n    os._exit(1)\n", "import nothing_of_this_name\n"]
)
def test_nothing_is_proved_by_tests_that_did_not_run_to_their_end(
    tmp_path: Path, display: Display, body: str
) -> None:
    verdict = verdicts.run(1, of_two_folders(tmp_path, body), display)
    assert not verdict.passed
    assert (verdict.proved, verdict.doubted) == (frozenset(), frozenset("AB"))


def test_no_test_at_all_is_well_only_where_others_are_left_out(tmp_path: Path, display: Display) -> None:
    empty = replace(check_of(tmp_path, ""), proves={"A": "a"})
    assert not verdicts.run(1, empty, display).passed
    verdict = verdicts.run(1, replace(empty, may_be_empty=True), display)
    assert verdict.passed
    assert verdict.proved == {"A"}


def test_what_is_unchanged_is_told_as_that() -> None:
    told = verdicts.summary([Verdict("lint", True, 1.0), Verdict("cluster", True, 0.0, unchanged=True)], 62)
    assert "  cluster  unchanged" in told
    assert told.endswith("2 of 2 checks passed in 1:02, 1 unchanged")


def test_what_fails_twice_is_red(tmp_path: Path, display: Display) -> None:
    verdict = verdicts.run(
        1, check_of(tmp_path, "def test_x() -> None:\n    assert False, 'never'\n"), display
    )
    assert not verdict.passed
    assert verdict.mark == "FAILED"
    assert "never" in verdict.words


def test_many_that_failed_are_not_run_once_more(tmp_path: Path, display: Display) -> None:
    many = PASSES_AT_THE_SECOND + "".join(
        f"\ndef test_{number}() -> None:\n    assert False\n" for number in range(3)
    )
    verdict = verdicts.run(1, check_of(tmp_path, many), display)
    assert not verdict.passed
    assert verdict.told.startswith("4 failed")
    assert "once more" not in verdict.told


@pytest.mark.parametrize(
    ("said", "failed"),
    [
        ("1 failed, 4 passed, 2 deselected in 3.21s", 1),
        ("1 failed, 4 passed, 2 errors in 3.21s", 3),
        ("4 passed in 3.21s", 0),
        ("INTERNALERROR> it broke", 0),
    ],
)
def test_failures_are_counted_with_those_that_could_not_begin(said: str, failed: int) -> None:
    assert verdicts.failures(said) == failed


def test_every_plan_names_each_step_after_what_it_needs() -> None:
    for steps in (
        plan.everything(run()),
        plan.for_tests(run(), cluster=True),
        plan.for_tests(run(), cluster=False),
    ):
        check_order(steps)


def test_checks_without_a_cluster_compile_no_part_of_one() -> None:
    names = {step.name for step in plan.for_tests(run(), cluster=False)}
    assert not names & plan.NEEDS_CLUSTER
    assert {"python", "helm", "image-postgres", "image-kafka"} <= names


def test_what_shares_the_libraries_of_kubernetes_is_not_compiled_beside_it() -> None:
    after = {step.name: step.after for step in plan.everything(run())}
    assert "kubernetes" in after["helm"]
    assert "helm" in after["tools"]
    assert "tools" in after["image-metrics-server"]
    assert "kubernetes" in after["parts"]
