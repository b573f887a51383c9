"""The demo world goes on where it was cut off: what is left is decided by the states of orders, not by their being there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bringup import paths, world
from bringup.cluster import Cluster
from bringup.knobs import Knobs
from world.__main__ import LEARNERS
from world.left import (
    CANCELED,
    EXPIRED,
    PARTLY_REFUNDED,
    REFUNDED,
    STUDIED,
    UNPAID,
    Goal,
    Left,
    Step,
    left,
    ran_out,
    wait_over,
)

from services.bank_simulator.domain.seeds import DEFAULT, of_bank

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALL = (STUDIED, EXPIRED, UNPAID, REFUNDED, PARTLY_REFUNDED, CANCELED)


def orders(*states: str, expires_at: str | None = None) -> list[dict[str, Any]]:
    """Orders in these states, the latest first; the first is `0`."""
    return [
        {"id": str(number), "status": state, "expires_at": expires_at} for number, state in enumerate(states)
    ]


@pytest.mark.parametrize("goal", ALL)
def test_who_has_no_order_begins_with_one(goal: Goal) -> None:
    assert left(goal, []) == Left(None, (Step.ORDER, *goal.steps))


@pytest.mark.parametrize(
    ("goal", "state", "steps"),
    [
        (STUDIED, "pending_payment", (Step.PAY, Step.STUDY)),
        (STUDIED, "paid", (Step.STUDY,)),
        (STUDIED, "fulfilled", (Step.STUDY,)),
        (REFUNDED, "pending_payment", (Step.PAY, Step.REFUND)),
        (REFUNDED, "fulfilled", (Step.REFUND,)),
        (PARTLY_REFUNDED, "fulfilled", (Step.REFUND,)),
        (CANCELED, "pending_payment", (Step.DECLINE, Step.CANCEL)),
        (EXPIRED, "pending_payment", (Step.LET_EXPIRE,)),
    ],
)
def test_whoever_was_cut_off_between_two_steps_takes_those_that_are_left(
    goal: Goal, state: str, steps: tuple[Step, ...]
) -> None:
    assert left(goal, orders(state)) == Left("0", steps)


@pytest.mark.parametrize("goal", ALL)
def test_an_order_in_the_state_that_is_wanted_is_left_alone(goal: Goal) -> None:
    for state in goal.ends:
        assert left(goal, orders("draft", state)) == Left("1", ())


@pytest.mark.parametrize("goal", [STUDIED, REFUNDED, PARTLY_REFUNDED, UNPAID])
def test_an_order_that_ended_unpaid_is_followed_by_another(goal: Goal) -> None:
    assert left(goal, orders("expired", "canceled")).steps[0] is Step.ORDER


def test_whose_order_has_expired_orders_again_and_keeps_the_one_that_has() -> None:
    assert left(EXPIRED, orders("pending_payment", "expired")) == Left("1", ())
    assert left(UNPAID, orders("expired")) == Left(None, (Step.ORDER, Step.SHOW_CODE))


def test_what_was_paid_counts_and_not_what_was_tried_later() -> None:
    assert left(REFUNDED, orders("pending_payment", "expired", "fulfilled")) == Left("2", (Step.REFUND,))
    assert left(UNPAID, orders("fulfilled", "expired")).steps == (), "somebody paid by hand what should wait"


def test_an_order_whose_time_is_over_is_waited_for_and_then_renewed() -> None:
    waiting = orders("pending_payment", "expired", expires_at="2026-01-01T12:00:00Z")
    assert ran_out(waiting, NOON)
    assert not ran_out(waiting, NOON.replace(hour=11))
    assert not ran_out(orders("expired", expires_at="2026-01-01T11:00:00Z"), NOON)
    assert wait_over(waiting) == "2026-01-01T12:00:00Z"
    assert wait_over(orders("expired", expires_at="2026-01-01T11:00:00Z")) == ""


def test_make_up_looks_at_the_world_again_when_its_waiting_order_has_ended_and_not_before() -> None:
    assert world.waits("2026-01-01T12:00:01Z", NOON)
    assert not world.waits("2026-01-01T12:00:00Z", NOON)
    assert not world.waits("", NOON)


def test_make_up_makes_what_has_come_to_the_world_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr(paths, "HACK", tmp_path / "hack")
    course = tmp_path / "hack" / "world" / "course"
    course.mkdir(parents=True)
    cluster = Cluster("any", 0, 0)
    made = world._made(cluster)
    made.parent.mkdir(parents=True)
    made.write_text("2999-01-01T12:00:00Z")
    assert world.is_there(cluster, Knobs()) == "is alive"
    (course / "course.toml").write_text("[about]")
    assert world.is_there(cluster, Knobs()) is None


def test_every_learner_pays_from_an_account_of_their_own_name() -> None:
    for person in LEARNERS:
        bank = person.vpa.partition("@")[2]
        owners = {seed.vpa: (seed.name, seed.pin) for seed in of_bank(DEFAULT, bank)}
        assert owners[person.vpa] == (person.name, person.pin)
