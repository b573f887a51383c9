"""`make drill`: what is done to a machine by hand, since no test run may do it: the scripts of tests/recovery."""

import ast
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bringup import paths
from bringup.refusals import Refusal

FOLDER = paths.ROOT / "tests" / "recovery"
PYTHON_PATH = (paths.HACK, paths.ROOT / "operator" / "tests")
"""Where they find what they share with bring-up and with the operator's tests."""


def drills() -> dict[str, str]:
    """What each drill shows, by its name."""
    files = (path for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__")
    return {path.stem: _about(path) for path in files}


def show() -> None:
    """Print which there are."""
    for name, about in drills().items():
        print(f"make drill name={name}\n    {about}")


def drill(name: str, words: Sequence[str]) -> int:
    """Run one, with words of its own; 0 when everything held.

    Raises:
        Refusal: there is no such drill, or nothing to run it with.
    """
    if name not in drills():
        raise Refusal(f"There is no drill {name}.", f"choose one of {', '.join(drills())}.")
    python = paths.VENV / "bin" / "python"
    if not python.exists():
        raise Refusal("There is no Python environment yet.", "run `make up` first.")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PYTHON_PATH))}
    command = [str(python), "-m", f"tests.recovery.{name}", *words]
    return subprocess.call(command, cwd=paths.ROOT, env=environment)


def _about(script: Path) -> str:
    """The first line of its docstring, which every module has."""
    return (ast.get_docstring(ast.parse(script.read_text())) or "").partition("\n")[0]
