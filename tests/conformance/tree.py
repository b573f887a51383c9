"""What git tracks, and what a service's folder may hold: read once, walked by every conformance test."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

REQUIRED = {"README.md", "contract.py", "settings.py", "app.py", "ops", "tests"}
"""Rooms that every service has (docs/architecture.md)."""

OPTIONAL = {
    "__init__.py", "api", "api.py", "cli.py", "clients", "clients.py", "consumers.py", "domain", "domain.py", "image.toml", "migrations",
    "pages", "schedules.py", "store", "store.py", "usecases", "usecases.py", "workers.py",
}  # fmt: skip
"""Rooms that appear when needed, never under another name."""

OF_ITS_OWN = {"api_gateway": {"cluster", "envoy"}}
"""The gateway is a control plane besides a service: it watches the cluster and supervises Envoy."""


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file that git tracks or would track, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file())


@functools.cache
def python_files() -> tuple[Path, ...]:
    return tuple(path for path in tracked() if path.suffix == ".py")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), filename=str(path))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every statement and expression of a file: to walk a tree costs more than all that is asked of it."""
    return tuple(ast.walk(parsed(path)))


def is_test(path: Path) -> bool:
    return "tests" in path.parts


def services() -> list[Path]:
    """Each subfolder of services/ is one deployable and nothing else is in there."""
    return sorted(path.parent for path in (ROOT / "services").glob("*/app.py"))
