"""Processes that share a heap of tests: every test is run, and by one of them."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from suuupra.testing.sharing import VARIABLE, Share

FILES = [Path(f"/tests/test_{name}.py") for name in "abcdefg"]


def test_whoever_asks_gets_what_nobody_has_until_nothing_is_left(tmp_path: Path) -> None:
    slow, quick = (Share(number, 2, tmp_path).taken(FILES) for number in (1, 2))
    first = next(slow)
    assert [first, *sorted(quick)] == FILES
    assert list(slow) == []


def test_each_begins_where_the_others_do_not(tmp_path: Path) -> None:
    begun = [next(Share(number, 3, tmp_path).taken(FILES)) for number in (1, 2, 3)]
    assert begun == [FILES[0], FILES[2], FILES[4]]


def test_files_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    files = [Path("/a/b/test_x.py"), Path("/a/c/test_x.py")]
    assert list(Share(1, 1, tmp_path).taken(files)) == files


def test_two_processes_run_each_test_once_and_say_what_failed(tmp_path: Path) -> None:
    claims, tests = tmp_path / "claims", tmp_path / "tests"
    claims.mkdir()
    tests.mkdir()
    for name in "abcdef":
        body = "def test_one(): pass\ndef test_two(): assert __name__[-1] != 'c'\n"
        (tests / f"test_{name}.py").write_text(body)
    processes = [_pytest(tests, f"{number}/2:{claims}") for number in (1, 2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    ran = re.findall(r"^(test_\w)\.py::(test_\w+) (PASSED|FAILED)", "".join(said), re.MULTILINE)
    assert sorted(name for name, test, _ in ran if test == "test_one") == [f"test_{it}" for it in "abcdef"]
    assert sorted(name for name, test, _ in ran if test == "test_two") == [f"test_{it}" for it in "abcdef"]
    assert [name for name, _, outcome in ran if outcome == "FAILED"] == ["test_c"]
    assert sorted(process.returncode for process in processes) == [0, 1]


def _pytest(folder: Path, share: str) -> "subprocess.Popen[str]":
    command: Sequence[str] = (sys.executable, "-m", "pytest", "-v", "-p", "suuupra.testing.sharing")
    options = ("-p", "no:cacheprovider", "--rootdir", str(folder), "-c", os.devnull)
    environment = {**os.environ, VARIABLE: share}
    return subprocess.Popen(
        [*command, *options, "."], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
