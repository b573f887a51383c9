"""What versions a folder holds is read without Alembic, and means what Alembic means."""

from pathlib import Path

import pytest

from suuupra.migrations import alembic_run, versions


def written(folder: Path, **followed: str | None) -> Path:
    """A folder of versions: `second="'first'"`."""
    for name, down in followed.items():
        text = f"revision: str = '{name}'\ndown_revision = {down}\ndef upgrade() -> None: ...\n"
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_newest_version_is_the_one_that_no_other_follows(tmp_path: Path) -> None:
    found = versions.read(written(tmp_path, first=None, third="'second'", second="'first'"))
    assert found == {"first": frozenset(), "second": {"first"}, "third": {"second"}}
    assert versions.head(found) == "third"


def test_branches_that_were_joined_end_where_alembic_says(tmp_path: Path) -> None:
    folder = written(tmp_path, a=None, b="'a'", c="'a'", d="('b', 'c')")
    assert versions.head(versions.read(folder)) == alembic_run.between(folder, None)[-1] == "d"


def test_two_newest_versions_are_named_and_so_is_none(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="here it is none"):
        versions.head(versions.read(tmp_path))
    with pytest.raises(LookupError, match="here it is b and c"):
        versions.head(versions.read(written(tmp_path, a=None, b="'a'", c="'a'")))


def test_a_file_that_names_no_revision_is_named(tmp_path: Path) -> None:
    (tmp_path / "0001_lost.py").write_text("down_revision = None\n")
    with pytest.raises(LookupError, match=r"0001_lost\.py names no revision"):
        versions.read(tmp_path)
