"""What is run again after a change, and what is not: neither too little nor, as far as can be told, too much."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from bringup import checks, parts, paths, reach, unchanged
from bringup.parts import counts, owner
from bringup.unchanged import Past
from bringup.verdicts import Verdict

KINDS = {"unit": ["services/ledger", "suuupra"], "integration": ["suuupra"]}
KEYS = {"unit: services/ledger": "1", "unit: suuupra": "2", "integration: suuupra": "2"}
PAST = {part: Past(key, fast=False, date="2026-11-30 20:51", commit="2c1f5e7") for part, key in KEYS.items()}


class Tree:
    """This very tree: its files, its parts, and what their tests reach."""

    def __init__(self) -> None:
        imports = reach.graph()
        self.folders = sorted(set[str]().union(*checks._kinds(fast=False).values()))
        self.reached = {folder: reach.reached(imports, paths.ROOT, folder) for folder in self.folders}
        self.files = parts.contents(paths.ROOT)
        self.keys = self._keys(self.files)

    def due_after(self, change: str) -> set[str]:
        """Folders of parts whose key another content of one file changes."""
        changed = self._keys(self.files | {change: "another"})
        return {folder for folder in self.folders if changed[folder] != self.keys[folder]}

    def _keys(self, files: Mapping[str, str]) -> dict[str, str]:
        return {folder: parts.key(files, folder, self.reached[folder]) for folder in self.folders}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree()


WHOLE_TREE = {"operator", "hack/tests", "tests", "tests/alerts"}
ON_THE_PLATFORM = {"tests/cluster", "tests/journeys"}


@pytest.mark.parametrize(
    "file", ["suuupra/db.py", "uv.lock", "images/postgres/Dockerfile", "hack/go/go.mod", "a_new_folder/file"]
)
def test_what_everybody_uses_makes_everything_due(file: str, tree: Tree) -> None:
    assert tree.due_after(file) == {*tree.folders}


@pytest.mark.parametrize(
    "file",
    [
        "services/ledger/domain/a_new_file.py",
        "services/ledger/migrations/versions/0099.sql",
        "manifests/services/ledger.yaml",
    ],
)
def test_a_change_in_a_service_makes_due_those_who_import_it_and_no_other(file: str, tree: Tree) -> None:
    due = tree.due_after(file) - WHOLE_TREE
    assert due == {"services/ledger", "services/web"} | ON_THE_PLATFORM


def test_tests_of_a_service_are_for_nobody_else(tree: Tree) -> None:
    assert tree.due_after("services/ledger/tests/test_new.py") - WHOLE_TREE == {"services/ledger"}


def test_rules_of_alerts_are_in_the_operators_image(tree: Tree) -> None:
    assert "operator/tests/on_cluster" in tree.due_after("services/ledger/ops/alerts.yaml")


def test_prose_is_read_by_no_test_of_a_service_and_by_no_cluster(tree: Tree) -> None:
    assert tree.due_after("docs/architecture.md") <= WHOLE_TREE
    assert tree.due_after("services/ledger/README.md") <= WHOLE_TREE


def test_what_tests_import_of_another_folder_of_tests_counts(tree: Tree) -> None:
    assert "operator/tests/on_cluster" in tree.due_after("tests/cluster/kube.py")
    assert "operator/tests/on_cluster" not in tree.due_after("tests/load/stage.py")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('discovery.find("web")', {"web"}),
        ('import_module("services.web.domain.x")', {"web"}),
        ('forking.start("suuupra", "work", "upi-core", environment=given)', {"upi_core"}),
        ('(sys.executable,\n "-m",\n "suuupra", "serve", "web")', {"web"}),
        ('import_module("argon2")\nclient_id = "ledger"', set()),
        ('forking.start(__name__)\nclient_id = "ledger"', set()),
        ('import_module(f"services.{name}.app")\nNAMES = ("ledger", "upi-core")', {"ledger", "upi_core"}),
        ('forking.start("suuupra", "serve", name)\nclient_id = "ledger"', {"ledger"}),
        ('from suuupra.discovery import find\nfind(name)\nname = "ledger"', {"ledger"}),
        ('forking.start(\n    *line)\nclient_id = "ledger"', {"ledger"}),
        ('(ROOT / "services" / name).read_text()\nname = "ledger"', {"ledger"}),
    ],
)
def test_services_that_are_run_by_name_are_reached(text: str, found: set[str]) -> None:
    assert reach.run_by_name([text], {"web", "upi_core", "ledger"}) == found


def test_a_part_of_which_no_rule_speaks_depends_on_the_whole_tree() -> None:
    assert counts(owner("services/web/app.py"), "somewhere/new", ())
    assert not counts(owner("services/web/app.py"), "services/ledger", ())


def made(root: Path) -> Path:
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def test_files_that_git_would_track_count_with_their_contents_and_whether_they_are_run(
    tmp_path: Path,
) -> None:
    for name, text in ((".gitignore", "*.log\n"), ("a", "1"), ("gone", "")):
        (tmp_path / name).write_text(text)
    made(tmp_path)
    before = parts.contents(tmp_path)
    (tmp_path / "new").write_text("untracked")
    (tmp_path / "some.log").write_text("ignored")
    (tmp_path / "gone").unlink()
    (tmp_path / "a").chmod(0o755)
    after = parts.contents(tmp_path)
    assert after.keys() - before.keys() == {"new"}
    assert before.keys() - after.keys() == {"gone"}
    assert before["a"] != after["a"]
    assert before[".gitignore"] == after[".gitignore"]


def test_where_git_knows_nothing_everything_is_due(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert parts.contents(tmp_path) == {}
    assert unchanged.decide(KINDS, {}, PAST, fast=False).due == KINDS


def test_in_a_new_clone_everything_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "RECORD", tmp_path / "none.json")
    found = unchanged.decide(KINDS, KEYS, unchanged.read(), fast=False)
    assert found.complete
    assert found.told() == ""


def test_what_passed_as_it_is_is_left_out_and_told() -> None:
    found = unchanged.decide(KINDS, KEYS | {"unit: suuupra": "other"}, PAST, fast=False)
    assert found.due == {"unit": ["suuupra"], "integration": []}
    assert not found.complete
    assert (
        "unit: 1 of 2 parts unchanged since they passed, 2026-11-30 20:51 at 2c1f5e7 or later: ledger"
        in found.told()
    )
    assert "integration: unchanged since it passed, 2026-11-30 20:51 at 2c1f5e7" in found.told()


def test_a_fast_pass_serves_no_whole_run_and_a_whole_one_serves_both() -> None:
    hurried = {part: replace(past, fast=True) for part, past in PAST.items()}
    assert unchanged.decide(KINDS, KEYS, hurried, fast=False).complete
    assert not any(unchanged.decide(KINDS, KEYS, hurried, fast=True).due.values())
    assert not any(unchanged.decide(KINDS, KEYS, PAST, fast=True).due.values())


def verdict(*proved: str, doubted: Sequence[str] = ()) -> Verdict:
    return Verdict("x", not doubted, 1.0, proved=frozenset(proved), doubted=frozenset(doubted))


def test_what_one_share_of_the_heap_saw_fail_is_due_again_whatever_the_others_saw() -> None:
    found = [verdict(*KEYS), verdict("unit: suuupra", doubted=["integration: suuupra"])]
    kept = unchanged.keep(PAST, found, PAST, KEYS)
    assert unchanged.decide(KINDS, KEYS, kept, fast=False).due == {"unit": [], "integration": ["suuupra"]}


def test_what_changed_while_it_was_tested_is_due_again() -> None:
    kept = unchanged.keep({}, [verdict(*KEYS)], PAST, KEYS | {"unit: suuupra": "3"})
    assert kept.keys() == KEYS.keys() - {"unit: suuupra"}


def test_a_fast_pass_does_not_take_the_place_of_a_whole_one_of_the_same_files() -> None:
    hurried = {part: replace(past, fast=True) for part, past in PAST.items()}
    assert unchanged.keep(PAST, [verdict(*KEYS)], hurried, KEYS) == PAST


def test_the_record_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "RECORD", tmp_path / "tests" / "green.json")
    unchanged.remember([verdict("unit: suuupra")], KEYS, KEYS, fast=True)
    assert unchanged.decide(KINDS, KEYS, unchanged.read(), fast=True).due["unit"] == ["services/ledger"]
    unchanged.RECORD.write_text("[]")
    assert unchanged.read() == {}


def test_a_variable_that_tests_read_is_part_of_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {kind: ["words"] for kind in KINDS}
    before = unchanged.inputs(KINDS, words).keys(KINDS)
    monkeypatch.setenv("SUUUPRA_SCREENS", "1")
    after = unchanged.inputs(KINDS, words).keys(KINDS)
    assert before.keys() == after.keys() == KEYS.keys()
    assert not {*before.items()} & {*after.items()}
