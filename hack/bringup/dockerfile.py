"""Reads a Dockerfile just enough to cut it down to the stages one target needs.

Docker's classic builder builds every stage above the target, needed or not. Cutting them away makes it do what
newer builders do, and keeps a change in one target's stages out of every other target's hash.
"""

import re
from dataclasses import dataclass

_FROM = re.compile(r"^FROM\s+(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_COPY_FROM = re.compile(r"--from=(\S+)")
_ARG = re.compile(r"^ARG\s+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """One stage: its name, the stages it names, and its lines."""

    name: str
    uses: frozenset[str]
    text: str


def stages(text: str) -> tuple[str, list[Stage]]:
    """What stands before the first FROM, and the stages in order. Comments belong to the stage below them."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        if _FROM.match(line):
            blocks.append(_comment_above(blocks[-1]))
        blocks[-1].append(line)
    preamble, *rest = ("".join(block) for block in blocks)
    return preamble, [_stage(block) for block in rest]


def only(text: str, target: str) -> str:
    """The Dockerfile with just the stages that `target` is built from, `target` last.

    Raises:
        ValueError: there is no such stage.
    """
    preamble, all_stages = stages(text)
    by_name = {stage.name: stage for stage in all_stages}
    if target not in by_name:
        raise ValueError(f"Dockerfile has no target {target}; it has {', '.join(by_name)}")
    needed: set[str] = set()
    wanted = [target]
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in needed:
            needed.add(name)
            wanted.extend(by_name[name].uses)
    return preamble + "".join(stage.text for stage in all_stages if stage.name in needed)


def arguments(text: str) -> set[str]:
    """Names of the build arguments a Dockerfile declares."""
    return set(_ARG.findall(text))


def _comment_above(block: list[str]) -> list[str]:
    """Take the comment that ends a block off it."""
    start = len(block)
    while start and block[start - 1].startswith("#"):
        start -= 1
    comment = block[start:]
    del block[start:]
    return comment


def _stage(block: str) -> Stage:
    match = next(match for line in block.splitlines() if (match := _FROM.match(line)))
    return Stage(match[2] or match[1], frozenset({match[1], *_COPY_FROM.findall(block)}), block)
