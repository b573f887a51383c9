"""Golden files: a difference fails, and so does a file that nobody has reviewed."""

from pathlib import Path

import pytest

from suuupra.testing.golden import compare


def test_what_was_reviewed_passes_and_anything_else_does_not(tmp_path: Path) -> None:
    golden = tmp_path / "page.txt"
    golden.write_text("as reviewed")
    compare(golden, "as reviewed")
    with pytest.raises(AssertionError, match="UPDATE_GOLDEN=1"):
        compare(golden, "otherwise")
    assert golden.read_text() == "as reviewed"


def test_a_missing_file_fails_and_is_not_made(tmp_path: Path) -> None:
    golden = tmp_path / "page.txt"
    with pytest.raises(AssertionError, match="never reviewed"):
        compare(golden, "new")
    assert not golden.exists()


def test_a_change_that_is_meant_is_taken_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPDATE_GOLDEN", "1")
    golden = tmp_path / "golden" / "page.txt"
    compare(golden, "new")
    assert golden.read_text() == "new"
