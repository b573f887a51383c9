"""Figures of the benches whose servers are started for them: what is counted, and against what it is held."""

from __future__ import annotations

import pytest

from . import logins, refresh
from .report import Figure
from .switch import Hops, Run, figures

HOPS = Hops(trips=[0.002] * 20, commits=[0.001] * 20)


def run(at_once: int, milliseconds: float) -> Run:
    each = [milliseconds / 1000] * 100
    return Run(at_once, each, whole=sum(each) / at_once, processor=0.5)


def test_a_payment_is_held_against_eight_messages_and_four_commits() -> None:
    median, p95, goal, *_ = figures(HOPS, [run(1, 20)], run(1, 40))
    assert (median.ours, median.peer) == ("20.0 ms", "8 bare HTTP messages and 4 bare commits 20.0 ms")
    assert (p95.ratio, goal.peer, goal.ratio) == ("1.00×", "25 ms", "0.80×")


def test_the_curve_tells_rate_and_processor_of_each_load() -> None:
    *_, four = figures(HOPS, [run(1, 20), run(4, 40)], run(1, 40))
    assert four.name == "4 payers at once"
    assert four.ours == "100 payments/s, p50 40.0 ms, p95 40.0 ms"
    assert (four.peer, four.ratio) == ("one at a time 50 payments/s", "2.00×")
    assert four.bound == "the switch's one process: 50% of a core"


@pytest.mark.parametrize(
    ("figure", "ours", "ratio"),
    [
        (logins.figures(40, 50)[0], "40.0 logins/s/core", "0.80×"),
        (refresh.figures(200, 1000)[0], "200 refreshes/s/core", "0.20×"),
    ],
)
def test_a_rate_is_told_beside_the_bare_work(figure: Figure, ours: str, ratio: str) -> None:
    assert (figure.ours, figure.ratio) == (ours, ratio)
    assert "ms" in figure.bound
