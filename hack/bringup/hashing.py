"""Content hashes: what goes in decides the name of what comes out."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

LENGTH = 12
IGNORED_FOLDERS = frozenset({"__pycache__", "tests", ".git", "node_modules"})
IGNORED_SUFFIXES = (".pyc", ".md")


def digest(parts: Mapping[str, bytes], *also: str) -> str:
    """Twelve hex digits over names and contents, in any order of insertion, and further words in theirs."""
    total = hashlib.sha256()
    for name in sorted(parts):
        total.update(f"{name}\0{len(parts[name])}\0".encode())
        total.update(parts[name])
    for word in also:
        total.update(f"\0{len(word)}\0{word}".encode())
    return total.hexdigest()[:LENGTH]


def tree(root: Path, prefix: str = "", ignore: frozenset[str] = IGNORED_FOLDERS) -> dict[str, Path]:
    """Files of a folder that count, as relative name → path. Tests, caches and prose do not run, so do not count."""
    return {
        prefix + path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not ignore.intersection(path.relative_to(root).parts[:-1])
        and not path.name.endswith(IGNORED_SUFFIXES)
    }


def digest_tree(files: Mapping[str, Path], *also: str) -> str:
    """Digest of files with their execute bits, which are part of what an image holds."""
    modes = [f"{name}:{bool(path.stat().st_mode & 0o111)}" for name, path in sorted(files.items())]
    return digest({name: path.read_bytes() for name, path in files.items()}, *modes, *also)
