"""The versions in a folder, told from their text: every pod asks for the newest, and must not carry Alembic for it.

A version says `revision = "0002"` and `down_revision = "0001"`: the one it follows, a tuple of several, or None.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Versions = Mapping[str, frozenset[str]]
"""Each revision with those it follows."""


def read(folder: Path) -> Versions:
    """Every version in `folder`; LookupError for a file that names no revision."""
    said = [_assigned(path) for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    return {one["revision"]: _followed(one.get("down_revision")) for one in said}


def head(versions: Versions) -> str:
    """The version that no other follows; LookupError when there is none, or more than one."""
    followed = frozenset[str]().union(*versions.values())
    heads = sorted(versions.keys() - followed)
    if len(heads) != 1:
        raise LookupError(f"one version must be the newest, here it is {' and '.join(heads) or 'none'}")
    return heads[0]


def _followed(said: str | tuple[str, ...] | None) -> frozenset[str]:
    return frozenset({said} if isinstance(said, str) else said or ())


def _assigned(path: Path) -> dict[str, Any]:
    said = dict(_constants(ast.parse(path.read_text(), str(path))))
    if "revision" not in said:
        raise LookupError(f"{path} names no revision")
    return said


def _constants(module: ast.Module) -> Iterator[tuple[str, Any]]:
    for line in module.body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
                yield target.id, ast.literal_eval(line.value)  # type: ignore[attr-defined]
