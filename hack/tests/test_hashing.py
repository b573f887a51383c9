"""Hashes: what goes in decides the name, and nothing else does."""

from pathlib import Path

from bringup.hashing import LENGTH, digest, digest_tree, tree


def test_order_does_not_count_and_names_do() -> None:
    assert digest({"a": b"1", "b": b"2"}) == digest({"b": b"2", "a": b"1"})
    assert digest({"a": b"1"}) != digest({"b": b"1"})
    assert len(digest({})) == LENGTH


def test_contents_cannot_slide_from_one_name_to_the_next() -> None:
    assert digest({"a": b"1b", "c": b""}) != digest({"a": b"1", "bc": b""})
    assert digest({}, "ab", "c") != digest({}, "a", "bc")


def test_tests_caches_and_prose_do_not_count(tmp_path: Path) -> None:
    for name in ("app.py", "README.md", "tests/test_app.py", "__pycache__/app.pyc", "pages/home.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert set(tree(tmp_path, "web/")) == {"web/app.py", "web/pages/home.html"}


def test_the_execute_bit_counts(tmp_path: Path) -> None:
    script = tmp_path / "entrypoint"
    script.touch()
    before = digest_tree(tree(tmp_path))
    script.chmod(0o755)
    assert digest_tree(tree(tmp_path)) != before
