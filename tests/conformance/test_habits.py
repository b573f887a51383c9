"""A remark made twice becomes a test: the habits and the ugly list of docs/architecture.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import ROOT, is_test, nodes, python_files, tracked

LONGEST_FILE = 400
LONGEST_FUNCTION = 70
SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in python_files()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in python_files()
        for node in definitions(path)
        if node.end_lineno and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == {}


def test_no_module_is_named_after_nothing() -> None:
    assert [str(path) for path in python_files() if path.stem in SHAPELESS] == []


def test_the_operators_folder_never_shadows_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


def called(node: ast.AST) -> set[str]:
    """The last names of what is called in it, and of the context managers it enters."""
    functions = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return {name for one in functions if (name := getattr(one, "attr", None) or getattr(one, "id", None))}


def fails_by_itself(node: ast.AST) -> bool:
    outright = any(isinstance(part, ast.Assert | ast.Raise) for part in ast.walk(node))
    return outright or not called(node).isdisjoint({"raises", "warns", "fail", "expect"})


def what_can_fail(functions: list[ast.FunctionDef | ast.AsyncFunctionDef]) -> set[str]:
    """Names of those that assert or raise, themselves or by what they call."""
    found = {one.name for one in functions if fails_by_itself(one)}
    while more := {one.name for one in functions if one.name not in found and called(one) & found}:
        found |= more
    return found


def test_every_test_can_fail() -> None:
    helpers = [
        one
        for path in python_files()
        if is_test(path) or path.parts[:2] == ("suuupra", "testing")
        for one in definitions(path)
    ]
    can_fail = what_can_fail(helpers)
    idle = [
        f"{path}:{node.lineno} {node.name}"
        for path in python_files()
        if is_test(path)
        for node in definitions(path)
        if node.name.startswith("test_") and node.name not in can_fail
    ]
    assert idle == []


def swallowed(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is None or getattr(handler.type, "id", "") in {"Exception", "BaseException"}
    return broad and all(isinstance(part, ast.Pass | ast.Continue) for part in handler.body)


def test_no_error_is_swallowed() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and swallowed(node)
    ]
    assert found == []


def floats_near_money(path: Path) -> Iterator[int]:
    for node in nodes(path):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Money":
            parts = (*node.args, *(keyword.value for keyword in node.keywords))
            if any(isinstance(part, ast.Constant) and isinstance(part.value, float) for part in parts):
                yield node.lineno


def test_money_is_never_a_float_not_even_in_a_test() -> None:
    assert [f"{path}:{line}" for path in python_files() for line in floats_near_money(path)] == []


def test_a_table_model_stays_in_the_store() -> None:
    outside = [
        str(path)
        for path in python_files()
        if path.parts[0] == "services"
        and "store" not in str(path)
        and "table=True" in (ROOT / path).read_text()
    ]
    assert outside == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"])
def test_nothing_is_left_for_later_in_code(word: str) -> None:
    found = [str(path) for path in python_files() if word in (ROOT / path).read_text()]
    assert found == []


def test_no_committed_file_is_a_secret_or_a_cache() -> None:
    unwanted = re.compile(r"(^|/)(\.env|\.state|__pycache__|id_rsa|.*\.pem|.*\.key)($|/)")
    assert [str(path) for path in tracked() if unwanted.search(str(path))] == []
