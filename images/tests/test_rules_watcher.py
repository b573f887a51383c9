"""The watcher beside Prometheus: broken rules never take down good ones."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[1] / "prometheus" / "rules_watcher.py"


def _loaded() -> Any:
    # The file is a program of the image and no package of the project.
    spec = importlib.util.spec_from_file_location("rules_watcher", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rules_watcher"] = module
    spec.loader.exec_module(module)
    return module


watcher = _loaded()


def complains_about_broken(path: Path) -> str | None:
    return "not a rule" if "broken" in path.read_text() else None


def config_map(name: str, **data: str) -> dict[str, Any]:
    keys = {key.replace("_", "."): text for key, text in data.items()}
    return {"metadata": {"namespace": "suuupra", "name": name}, "data": keys}


class FakeCluster:
    """ConfigMaps by namespace; one that is None cannot be read."""

    def __init__(self, **namespaces: list[dict[str, Any]] | None) -> None:
        self.namespaces = namespaces

    def config_maps(self, namespace: str) -> list[dict[str, Any]]:
        found = self.namespaces[namespace]
        if found is None:
            raise ConnectionRefusedError(namespace)
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    return watcher.RuleFolder(tmp_path / "rules", check=complains_about_broken)


def files(folder: Any) -> Mapping[str, str]:
    return {file.name: file.read_text() for file in folder.path.iterdir()}


def test_every_yaml_key_becomes_a_file_of_its_own() -> None:
    maps = [config_map("web-rules", rules_yaml="a", more_yml="b", notes_txt="c"), config_map("empty")]
    assert watcher.rule_files(maps) == {
        "suuupra_web-rules_rules.yaml": "a",
        "suuupra_web-rules_more.yml": "b",
    }


def test_config_map_without_data_is_no_file() -> None:
    assert watcher.rule_files([{"metadata": {"namespace": "suuupra", "name": "bare"}}]) == {}


def test_sound_files_are_written_and_unwanted_ones_removed(folder: Any) -> None:
    assert folder.make_equal({"a.yaml": "one", "b.yaml": "two"}).changed
    assert folder.make_equal({"b.yaml": "two", "c.yaml": "three"}).changed
    assert files(folder) == {"b.yaml": "two", "c.yaml": "three"}


def test_nothing_new_asks_for_no_reload(folder: Any) -> None:
    folder.make_equal({"a.yaml": "one"})
    assert not folder.make_equal({"a.yaml": "one"}).changed


def test_broken_file_is_refused_and_the_others_are_taken(folder: Any) -> None:
    outcome = folder.make_equal({"bad.yaml": "broken", "good.yaml": "fine"})
    assert outcome.changed
    assert outcome.rejected == {"bad.yaml": "not a rule"}
    assert files(folder) == {"good.yaml": "fine"}


def test_last_good_version_stays_when_an_edit_breaks_a_file(folder: Any) -> None:
    folder.make_equal({"a.yaml": "good"})
    outcome = folder.make_equal({"a.yaml": "broken"})
    assert not outcome.changed
    assert files(folder) == {"a.yaml": "good"}


def test_last_good_version_outlives_the_pod(folder: Any) -> None:
    folder.make_equal({"a.yaml": "good"})
    after_restart = watcher.RuleFolder(folder.path, check=complains_about_broken)
    after_restart.make_equal({"a.yaml": "broken"})
    assert files(after_restart) == {"a.yaml": "good"}


def test_candidate_of_a_killed_pass_is_swept_up(folder: Any) -> None:
    folder.make_equal({})
    (folder.path / ".a.yaml.candidate").write_text("half")
    folder.make_equal({"a.yaml": "good"})
    assert files(folder) == {"a.yaml": "good"}


def test_reload_is_asked_once_for_many_changes_and_told_by_metrics(folder: Any) -> None:
    reloads: list[int] = []
    cluster = FakeCluster(
        suuupra=[config_map("web", a_yaml="good", b_yaml="broken"), config_map("content", a_yaml="x")]
    )

    def reload() -> int:
        reloads.append(1)
        return 1

    subject = watcher.Watcher(cluster, ("suuupra",), folder, reload=reload)
    subject.sync()
    subject.sync()
    assert reloads == [1]
    assert 'suuupra_rules_rejected{file="suuupra_web_b.yaml"} 1' in subject.state.exposition()
    assert "suuupra_rules_files 3" in subject.state.exposition()


def test_namespace_that_cannot_be_read_removes_nothing(folder: Any) -> None:
    cluster = FakeCluster(suuupra=[config_map("web", a_yaml="good")], other=[config_map("op", a_yaml="good")])
    subject = watcher.Watcher(cluster, ("suuupra", "other"), folder, reload=lambda: 1)
    subject.sync()
    cluster.namespaces["other"] = None
    with pytest.raises(ConnectionRefusedError):
        subject.sync()
    assert len(files(folder)) == 2


def test_rejection_is_gone_when_the_rule_is_mended(folder: Any) -> None:
    cluster = FakeCluster(suuupra=[config_map("web", a_yaml="broken")])
    subject = watcher.Watcher(cluster, ("suuupra",), folder, reload=lambda: 1)
    subject.sync()
    cluster.namespaces["suuupra"] = [config_map("web", a_yaml="mended")]
    subject.sync()
    assert "suuupra_rules_rejected{" not in subject.state.exposition()
