"""Numbered checks: docs/checks.md has the text of every one that a test names, and a test for every one it has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .tree import ROOT, is_test, nodes, python_files

NUMBER = re.compile(r"\b([OMT]\d{1,2})\b")
IN_NAME = re.compile(r"(?:^|_)([omt]\d{1,2})(?=_|$)")


def documented() -> set[str]:
    text = (ROOT / "docs" / "checks.md").read_text()
    return set(re.findall(r"^\| ([OMT]\d{1,2}) \|", text, flags=re.MULTILINE))


def named_in(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield from (number.upper() for number in IN_NAME.findall(node.name))
            yield from NUMBER.findall(ast.get_docstring(node) or "")


def proven() -> set[str]:
    return {number for path in python_files() if is_test(path) for number in named_in(path)}


def test_every_check_a_test_names_is_written_down() -> None:
    assert proven() - documented() == set()


def test_every_check_written_down_is_named_by_a_test() -> None:
    assert documented() - proven() == set()
