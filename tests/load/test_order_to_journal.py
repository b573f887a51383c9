"""What the way from an order to its journal is told by: parts that add up, losses that show, a rail that is put back."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, get_args

import pytest

from services.upi_core.domain.payment import (
    CheckDue,
    CollectExpired,
    Happening,
    Payment,
    State,
    Step,
    TimedOut,
    decide,
)

from .buyers import Bought, Journal, journal_of
from .order_to_journal import HOPS, Run, figures
from .stage import BANK, OVER, PAYERS, Bare, put_back, widened

BARE = Bare(http=[0.002] * 10, commit=[0.001] * 10, kafka=[0.005] * 10)
RAIL: dict[str, Any] = {
    "type": "upi",
    "switch": {
        "service": "upi-core",
        "routes": [
            {"path": "/phone", "limits": [{"rate": "50/s", "burst": 200, "by": "address"}]},
            {"path": "/v1/upi", "limits": [{"rate": "20/s", "burst": 100, "by": "subject"}]},
        ],
    },
    "participants": [{"code": "asha"}, {"code": "cedar"}],
    "rulebook": {"scale": 30},
}


def run(offered: float, orders: int, *, unpaid: int = 0, faults: int = 0) -> Run:
    """Orders a second apart at `offered` a second, each journaled after 300 ms: 60, 40, 180 and 20."""
    bought = [
        Bought(str(number), created, created + 0.06, created + 0.1)
        for number in range(orders)
        for created in (number / offered,)
    ]
    journals = {
        one.order: Journal(one.approved + 0.18, one.approved + 0.2) for one in bought[: orders - unpaid]
    }
    return Run(offered, bought, journals, ["Refused: 503"] * faults, 1.7, 0.2, "upi-core 20%")


def test_the_parts_of_one_order_add_up_to_the_whole() -> None:
    made = run(10, 1)
    assert made.hops_ms(0.5) == pytest.approx([60, 40, 180, 20])
    assert sum(made.hops_ms(0.5)) == pytest.approx(made.whole_ms(0.5)) == pytest.approx(300)


def test_what_was_reached_is_counted_until_the_last_journal() -> None:
    assert run(10, 100).reached == pytest.approx(100 / (9.9 + 0.3))


def test_an_order_without_a_journal_is_lost_and_told() -> None:
    made = run(50, 100, unpaid=3, faults=2)
    assert made.lost == 5
    rows = figures(BARE, [run(1, 10)], [run(10, 10), made], cores=2)
    assert rows[-1].ours.endswith("p95 300 ms, 97 of 102 paid")


def test_every_time_says_of_how_many_it_is() -> None:
    rows = figures(BARE, [run(1, 10)], [run(10, 10, faults=1), run(50, 8, unpaid=3)], cores=2)
    assert all(
        "10 of 10 paid" in row.ours or "10 of 11 paid" in row.ours or "5 of 8 paid" in row.ours
        for row in rows
    )


def test_what_is_sustained_is_the_last_step_of_the_ladder_at_which_nobody_was_lost() -> None:
    runs = [run(10, 10)]
    held = figures(BARE, [run(1, 10), run(2, 20), run(3, 30, faults=4)], runs, cores=2)[0]
    assert (held.ours, held.peer) == (
        "2 orders/s, p50 300 ms, p95 300 ms, 20 of 20 paid",
        "3 orders/s: 30 of 34 paid",
    )
    assert figures(BARE, [run(5, 10)], runs, cores=2)[0].peer == "the highest that was tried"
    nothing = figures(BARE, [run(1, 10, unpaid=10)], runs, cores=2)[0]
    assert (nothing.ours, nothing.peer) == ("none", "1 orders/s: 0 of 10 paid")


def test_every_step_of_the_ladder_is_told_beside_the_runs() -> None:
    rows = figures(BARE, [run(1, 10), run(2, 10, unpaid=10)], [run(10, 10)], cores=2)[-3:]
    assert [row.peer for row in rows] == [f"{rate} orders/s offered" for rate in (1, 2, 10)]
    assert (rows[1].ours, rows[1].ratio) == ("0 of 10 paid", "0.00×")


def test_bare_hops_are_counted_as_often_as_they_are_on_the_way() -> None:
    bare = {hop.name: hop.bare_ms(BARE, 0.5) for hop in HOPS}
    assert bare == pytest.approx(
        {
            "order.created → payable": 5 + 2 * 1 + 2,
            "payable → approved": 2 * 1 + 2 * 2,
            "approved → payment.succeeded": 8 * 1 + 8 * 2 + 20,
            "payment.succeeded → journal": 5,
        }
    )
    whole = figures(BARE, [run(1, 10)], [run(10, 10), run(50, 10)], cores=2)[1]
    assert (whole.ours, whole.peer, whole.ratio) == ("300 ms, 10 of 10 paid", "the bare hops 64 ms", "4.69×")


def test_every_figure_says_what_bounds_it() -> None:
    assert all(figure.bound for figure in figures(BARE, [run(1, 10)], [run(10, 10), run(50, 10)], cores=2))


def test_a_journal_of_a_payment_counts_from_its_success() -> None:
    view = {"effective_at": "2026-01-01T00:00:01Z", "posted_at": "2026-01-01T00:00:01.250000Z"}
    told = journal_of(view)
    assert told.posted - told.succeeded == 0.25


def test_a_widened_rail_has_the_bank_and_only_the_phones_limit_changed() -> None:
    spec = widened(RAIL)
    assert [one["code"] for one in spec["participants"]] == ["asha", "cedar", BANK]
    phone, other = spec["switch"]["routes"]
    assert phone["limits"][0]["rate"] == "2000/s"
    assert other == RAIL["switch"]["routes"][1]


def test_the_banks_accounts_fit_into_a_variable_of_a_resource() -> None:
    accounts = widened(RAIL)["participants"][-1]["env"]["BANK_ACCOUNTS"]
    assert len(accounts) <= 4096
    assert [one["vpa"] for one in json.loads(accounts)] == PAYERS


def test_what_is_put_back_is_what_was_there() -> None:
    patched = merged(merged(RAIL, widened(RAIL)), put_back(RAIL))
    assert patched == RAIL


def test_a_bank_that_a_run_left_behind_is_taken_out() -> None:
    left = merged(RAIL, widened(RAIL))
    assert [one["code"] for one in put_back(left)["participants"]] == ["asha", "cedar"]
    assert len(widened(left)["participants"]) == 3


def test_the_bank_waits_for_every_payment_that_a_timer_still_moves() -> None:
    """Those that it does not wait for (OVER) are all others."""
    timers: list[Happening] = [*map(TimedOut, get_args(Step)), CheckDue(), CollectExpired()]
    moved = {state for state in State if any(decide(Payment(state), timer).note for timer in timers)}
    assert moved == {*State} - {*OVER}


def merged(spec: Any, patch: Any) -> Any:
    """As the API server merges (RFC 7396)."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    made = dict(spec) if isinstance(spec, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made
