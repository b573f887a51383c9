"""Parts of the tests: a folder's tests of one kind, and a key of all that can decide how they end.

A file counts for every part unless the rules below say whose it is and that the part can do without its owner. A part of
which they say nothing depends on the whole tree. Beyond the rules a part depends on what it reaches (bringup.reach).
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from bringup.hashing import digest

_OTHERS = r"services/.+|docs|tests/.+|hack/.+|\w+/tests"
_APART = (
    (r"services/\w+", r".+"),
    (r"suuupra|(images|charts)/tests", _OTHERS),
    # Its operator is an image that holds the rule files of all services.
    (r"operator/tests/on_cluster", rf"(?!services/\w+/ops|operator/)({_OTHERS})"),
    (r"tests/(cluster|journeys)", r"docs|services/\w+/tests|\w+/tests|tests/.+"),
)
"""By folders of tests: whose files do not count for them, unless they reach them."""


def owner(name: str) -> str:
    """Whose a file is; empty for what counts for everybody."""
    match name.split("/"):
        case ["docs", *_] | [*_, "README.md"]:
            return "docs"
        case ["services", folder, ("tests" | "ops") as room, *_]:
            return f"services/{folder}/{room}"
        case ["services", folder, _, *_]:
            return f"services/{folder}"
        case ["manifests", "services", file]:
            return f"services/{file.partition('.')[0].replace('-', '_')}"
        case ["suuupra", "tests", *_] | ["suuupra", "ui", "tests", *_]:
            return "suuupra/tests"
        case ["tests", folder, _, *_]:
            return f"tests/{folder}"
        case ["hack", ("tests" | "world") as folder, *_]:
            return f"hack/{folder}"
        case [("operator" | "images" | "charts") as first, "tests", *_]:
            return f"{first}/tests"
        case [("operator" | "charts" | "crds") as first, *_]:
            return first
    return ""


def counts(whose: str, folder: str, reached: Collection[str]) -> bool:
    """Whether files of this owner can decide how the tests in a folder end."""
    apart = next((others for folders, others in _APART if re.fullmatch(folders, folder)), None)
    if not whose or apart is None or not re.fullmatch(apart, whose):
        return True
    if re.fullmatch(r"services/\w+/tests", whose) and not f"{whose}/".startswith(f"{folder}/"):
        return whose in reached  # of a service that is reached, its tests are not
    return any(f"{whose}/".startswith(f"{one}/") for one in (folder, *reached))


def within(folders: Iterable[str], root: Path, *, marked: str = "") -> list[str]:
    """The folders of parts: of services each one. With `marked`, those in which a file of tests has that mark."""
    each = [
        path
        for folder in folders
        for path in (_services(root) if folder == "services" else [root / folder])
        if not marked or any(f"mark.{marked}" in test.read_text() for test in path.rglob("test_*.py"))
    ]
    return [path.relative_to(root).as_posix() for path in each]


def _services(root: Path) -> list[Path]:
    return sorted(tests.parent for tests in (root / "services").glob("*/tests"))


def contents(root: Path) -> dict[str, str]:
    """Every file that Git tracks or would track → what it is; nothing where that cannot be known."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return {}
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name: _content(root / name) for name in names if name and (root / name).is_file()}


def _content(path: Path) -> str:
    link = os.readlink(path) if path.is_symlink() else ""
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mode & 0o111:o} {link}"


def key(files: Mapping[str, str], folder: str, reached: Collection[str], *words: str) -> str:
    """All that decides how the tests in a folder end, as a digest: the files that count for it, and words."""
    whose = {name: owner(name) for name in files}
    counted = {one: counts(one, folder, reached) for one in set(whose.values())}
    return digest({name: file.encode() for name, file in files.items() if counted[whose[name]]}, *words)
