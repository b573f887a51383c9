"""Figures of the benches whose servers are started for them: what is counted, and against what it is held."""

from __future__ import annotations

import pytest

from . import gateway, ledger, logins, refresh, report
from .report import Figure, as_markdown
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


def test_a_page_tells_its_note_before_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "commit", lambda: "abc1234")  # the image with the other Python has no git
    page = as_markdown("At rest", [Figure("memory", "3 GiB", "6 GiB", "0.50×", "kafka")], "Why 6 GiB.")
    assert page.index("# At rest") < page.index("\n\nWhy 6 GiB.\n\n| what |") < page.index("| memory | 3 GiB")


def test_the_gateways_latency_is_told_with_the_load_that_was_reached() -> None:
    full = [gateway.Run(rate, per_core=rate, p50=2.0, p99=4.0) for rate in (20_000, 11_000, 8_000)]
    half = [
        gateway.Run(rate, per_core=rate, p50=p50, p99=3.0)
        for rate, p50 in ((3900, 0.5), (3800, 1), (3400, 1.5))
    ]
    *_, median, p99 = gateway._figures(full, half)
    assert (median.name, p99.name) == ("added p50 at 42% of full load", "added p99 at 42% of full load")
    assert (median.ours, median.ratio) == ("+1.00 ms", "3.00×")
    assert "3,400 of 8,000 requests/s (bare Envoy 3,800, the service alone 3,900)" in median.bound


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


def test_a_journal_is_beside_a_transaction_and_the_goals_are_rows_of_their_own() -> None:
    told = ledger.figures({1: 800, 8: 1000}, {1: 4000}, 3000, 2500, 1500, [0.002] * 9, [0.007] * 9, 5000)
    rows = {f"{figure.name}: {figure.ours}": (figure.peer, figure.ratio) for figure in told}
    assert rows["from Kafka, with bounds, ids and chain: journals, of three postings each: 1,500 journals/s (4,500 postings/s)"] == (
        "TPC-B 1,000 transactions/s, of three balances and a row each (clients: 800 at 1, 1,000 at 8)", "1.50×",
    )  # fmt: skip
    assert [
        (figure.ours, figure.peer, figure.ratio) for figure in told if figure.name.endswith("its goal")
    ] == [
        (
            "1,500 journals/s (4,500 postings/s)",
            "half of bare batches 2,000 journals/s (6,000 postings/s)",
            "0.75×",
        ),
        ("7.00 ms", "three durable commits 6.00 ms", "1.17×"),
    ]
