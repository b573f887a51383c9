"""Conditions and runbooks: whichever the operator may say, somebody is told what to do about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .documents import prose
from .tree import ROOT, nodes, python_files

OPERATOR = Path("operator/suuupra_operator")
RUNBOOK = ROOT / "docs/runbooks/resource-not-ready.md"
NAMES = {"CACHE", "READY", "TOPICS", "TYPE"}
"""What modules call the type of their condition when they give it a name."""
PASSED_ON = {"kind"}
"""Whoever takes a type by this name was called with one that is found there."""


def said(among: Iterator[ast.AST] | tuple[ast.AST, ...]) -> Iterator[str]:
    """The type of every condition that these statements make."""
    for node in among:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as type_)) if (
                name in NAMES
            ):
                yield type_
            case ast.Call(
                func=ast.Name(id="Finding") | ast.Attribute(attr="_finding" | "attempt"), args=[first, _, *_]
            ):
                yield from _type(first)


def _type(written: ast.expr) -> Iterator[str]:
    match written:
        case ast.Constant(value=str() as type_):
            yield type_
        case ast.Name(id=name) if name in NAMES | PASSED_ON:
            return
        case _:
            raise AssertionError(f"nobody can tell which condition {ast.unparse(written)} is")


def rows(text: str) -> set[str]:
    """The conditions in the first cells of a page's tables."""
    cells = [line.split("|")[1] for _, line in prose(text) if line.startswith("| ")]
    return {found for cell in cells for found in re.findall(r"\b([A-Z][A-Za-z]+)=(?:False|Unknown)", cell)}


def test_every_condition_of_the_operator_has_a_row_and_every_row_a_condition() -> None:
    modules = [path for path in python_files() if path.is_relative_to(OPERATOR)]
    types = {type_ for path in modules for type_ in said(nodes(path))}
    told = rows(RUNBOOK.read_text())
    assert types - told == set(), f"{RUNBOOK.name} does not say what to do"
    assert told - types == set(), "the operator says these no more"


@pytest.mark.parametrize(
    ("code", "types"),
    [
        ('Finding("RolloutReady", False, "Stuck")', ["RolloutReady"]),
        ('run.attempt("DatabaseReady", part)', ["DatabaseReady"]),
        ('self._finding("KafkaReachable", "kafka", topics)', ["KafkaReachable"]),
        ('TYPE = "SecretsReady"\nFinding(TYPE, True, "Provided")', ["SecretsReady"]),
        ('ROLE = "SecretsReady"\nFinding(kind, True, "Provided")', []),
    ],
)
def test_a_condition_is_found_however_it_is_made(code: str, types: list[str]) -> None:
    assert [*said(ast.walk(ast.parse(code)))] == types


def test_a_condition_that_nobody_can_tell_is_no_way_around() -> None:
    with pytest.raises(AssertionError, match="nobody can tell"):
        list(said(ast.walk(ast.parse('Finding(f"{part}Ready", False, "Gone")'))))
