"""What is left to do for an order to end as it should: decided by the states of what was ordered, and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

PENDING = "pending_payment"
PAID = ("paid", "fulfilled", "partially_refunded", "refunded")
"""States of an order that was paid, whatever came of the money."""


class Step(Enum):
    """Something that somebody does with an order, or to have one."""

    ORDER = auto()
    SHOW_CODE = auto()
    PAY = auto()
    DECLINE = auto()
    CANCEL = auto()
    LET_EXPIRE = auto()
    STUDY = auto()
    REFUND = auto()


@dataclass(frozen=True)
class Goal:
    """How an order is to end: the steps that lead there once it is placed, and the states in which nothing is left.

    `expires_in`: seconds that such an order waits for its payment; None: as long as the shop has orders wait.
    """

    steps: tuple[Step, ...]
    ends: tuple[str, ...]
    expires_in: int | None = None


STUDIED = Goal((Step.PAY, Step.STUDY), ("refunded",))
"""Lessons that were read before are read again, which changes nothing."""
EXPIRED = Goal((Step.LET_EXPIRE,), ("expired",), expires_in=3)
"""Ordered with next to no time to pay, and left alone."""
UNPAID = Goal((Step.SHOW_CODE,), (PENDING,))
"""Ordered and left alone: it expires in its time, and another takes its place when the world is looked after again."""
REFUNDED = Goal((Step.PAY, Step.REFUND), ("refunded",))
PARTLY_REFUNDED = Goal((Step.PAY, Step.REFUND), ("partially_refunded", "refunded"))
CANCELED = Goal((Step.DECLINE, Step.CANCEL), ("canceled",))


@dataclass(frozen=True)
class Left:
    """The steps that are left, and the order they are taken with; None when it is still to be placed."""

    order: str | None
    steps: tuple[Step, ...]


def left(goal: Goal, orders: Sequence[Mapping[str, Any]]) -> Left:
    """What is left, with somebody's orders as they are, the latest first. Nothing of them is taken for granted.

    An order that ended otherwise than it should is left as it is; one that somebody paid who should not have, too.
    """
    for states in (goal.ends, PAID, (PENDING,)):
        for order in orders:
            if order["status"] in states:
                return Left(str(order["id"]), _after(goal, order["status"]))
    return Left(None, (Step.ORDER, *goal.steps))


def _after(goal: Goal, state: str) -> tuple[Step, ...]:
    if state in goal.ends:
        return ()
    if state == PENDING:
        return goal.steps
    return goal.steps[goal.steps.index(Step.PAY) + 1 :] if Step.PAY in goal.steps else ()


def ran_out(orders: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Whether an order still waits whose time is over: commerce ends it any moment."""
    return any(
        one["status"] == PENDING and one["expires_at"] and datetime.fromisoformat(one["expires_at"]) <= now
        for one in orders
    )


def wait_over(orders: Sequence[Mapping[str, Any]]) -> str:
    """When the order that waits ends by itself (ISO 8601); empty when none waits."""
    return next((str(one["expires_at"] or "") for one in orders if one["status"] == PENDING), "")
