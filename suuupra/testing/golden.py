"""Golden files: what a program makes, as somebody reviewed it."""

import os
from pathlib import Path


def compare(golden: Path, made: str) -> None:
    """AssertionError when `made` is not what was reviewed, or when nothing was.

    UPDATE_GOLDEN=1 takes what is made now, for a change that is meant: read the difference before you commit it.
    """
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made)
    assert golden.exists(), (
        f"{golden} was never reviewed: run this test with UPDATE_GOLDEN=1 and read the file"
    )
    assert made == golden.read_text(), f"not as {golden.name} says; when the change is meant: UPDATE_GOLDEN=1"
