"""Tests wait for conditions: whole seconds are a guess, however they are written, and what is no guess says why."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from .tree import is_test, nodes, parsed, python_files

GUESS_SECONDS = 1.0
"""A poll of a condition may pause for a fraction of a second."""

OF_A_PURPOSE = {
    "operator/tests/on_cluster/outage.py sleep(max(0.0, moment - time.monotonic()))": "an outage has its length",
    "operator/tests/on_cluster/test_o2_status.py sleep(QUIET_SECONDS)": "nothing may happen in this time",
    "services/api_gateway/tests/test_common_limits.py sleep(STANDSTILL)": "the process is to stand still",
    "services/api_gateway/tests/upstream.py sleep(SLOW_SECONDS)": "a service that is slow to answer",
    "tests/load/buyers.py sleep(pause)": "the pace of a load",
    "tests/load/buyers.py sleep(max(0.0, began + place / rate - time.perf_counter()))": "the pace of a load",
    "tests/load/buyers.py sleep(LOOK_SECONDS if waited < PROMPT_SECONDS else waited / 4)": "a poll that tires",
    "tests/load/footprint.py sleep(WINDOW_SECONDS)": "the time over which is measured",
    "tests/load/operator_ready.py sleep(number * PACE_SECONDS)": "the pace of a load",
}
"""What sleeps for a second or more, or for as long as only a run can tell, without waiting for anything."""


def constants(module: ast.Module) -> dict[str, float]:
    """Numbers that a module gives a name."""
    found: dict[str, float] = {}
    for node in module.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                found[name] = length(value, found)
    return found


def length(seconds: ast.expr, named: Mapping[str, float]) -> float:
    """Of a sleep; without end where only a run can tell."""
    match seconds:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return named.get(name, math.inf)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return length(left, named) * length(right, named)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return length(left, named) / length(right, named)
        case ast.IfExp(body=one, orelse=other):
            return max(length(one, named), length(other, named))
    return math.inf


def sleeps(among: Sequence[ast.AST]) -> Iterator[ast.expr]:
    """How long each call of time's, asyncio's or an imported `sleep` takes."""
    for node in among:
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep"), args=[seconds]
                )
                | ast.Call(func=ast.Name(id="sleep"), args=[seconds])
            ):
                yield seconds


def guesses(module: ast.Module, among: Sequence[ast.AST]) -> list[str]:
    """Sleeps that are too long for a poll, as they are written."""
    named = constants(module)
    return [f"sleep({ast.unparse(one)})" for one in sleeps(among) if not length(one, named) < GUESS_SECONDS]


def guesses_in(path: Path) -> Iterator[str]:
    for guess in guesses(parsed(path), nodes(path)):
        yield f"{path} {guess}"


def test_no_test_waits_by_sleeping_instead_of_for_a_condition() -> None:
    found = {guess for path in python_files() if is_test(path) for guess in guesses_in(path)}
    assert found - OF_A_PURPOSE.keys() == set()
    assert OF_A_PURPOSE.keys() - found == set(), "nothing sleeps like this any more"


@pytest.mark.parametrize(
    ("written", "is_a_guess"),
    [
        ("time.sleep(0.2)", False),
        ("time.sleep(0.999)", False),
        ("time.sleep(1)", True),
        ("await asyncio.sleep(1e1)", True),
        ("SHORT = 0.5\nasync def f(): await asyncio.sleep(SHORT)", False),
        ("QUIET: Final = 3\nasync def f(): await asyncio.sleep(QUIET)", True),
        ("QUIET = 0.5\ntime.sleep(QUIET * 4)", True),
        ("POLL = 0.5\nTWICE = POLL * 2\ntime.sleep(TWICE)", True),
        ("sleep(POLL if prompt else 5)", True),
        ("sleep(pause)", True),
        ("sleep(await how_long())", True),
        ("await clock.sleep(60)", False),
    ],
)
def test_a_guess_is_found_whatever_it_is_called(written: str, *, is_a_guess: bool) -> None:
    module = ast.parse(written)
    assert bool(guesses(module, tuple(ast.walk(module)))) is is_a_guess
