"""What a checkout page says in every state of order and payment: decided without any I/O."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

import pytest

from services.web.domain.paying import (
    OVER,
    Attempt,
    AttemptState,
    OrderState,
    Payment,
    Phase,
    checkout,
    words_of,
)
from services.web.usecases import buying

ID = UUID(int=7)


def payment(
    *states: AttemptState, succeeded: bool = False, canceled: bool = False, code: str | None = None
) -> Payment:
    link = "upi://pay?pa=a@b"
    attempts = tuple(Attempt(i, state, link=link, code=code) for i, state in enumerate(states, 1))
    return Payment(ID, succeeded, canceled, attempts)


@pytest.mark.parametrize(
    ("known", "phase"),
    [
        (None, Phase.PREPARING),
        (payment(), Phase.READY),
        (payment("open"), Phase.SCAN),
        (payment("confirming"), Phase.CONFIRMING),
        (payment("unsure"), Phase.UNSURE),
        (payment("failed"), Phase.FAILED),
        (payment("expired"), Phase.FAILED),
        (payment("closed"), Phase.READY),
        (payment("failed", "open"), Phase.SCAN),
        (payment("succeeded", succeeded=True), Phase.SETTLING),
        (payment("open", canceled=True), Phase.PREPARING),
    ],
)
def test_while_an_order_waits_its_payment_says_where_the_checkout_is(
    known: Payment | None, phase: Phase
) -> None:
    assert checkout("pending", known).phase is phase


@pytest.mark.parametrize("order", [state for state in get_args(OrderState) if state != "pending"])
@pytest.mark.parametrize(
    "known", [None, payment("closed"), payment("failed"), payment("succeeded", succeeded=True)]
)
def test_what_commerce_says_is_over_is_over(order: OrderState, known: Payment | None) -> None:
    now = checkout(order, known)
    assert now.phase in OVER
    assert (now.may_try, now.may_cancel) == (False, False)


@pytest.mark.parametrize("order", ["expired", "canceled", "returned"])
def test_m21_money_that_came_too_late_is_said_to_come_back(order: OrderState) -> None:
    now = checkout(order, payment("succeeded", succeeded=True))
    assert now.phase is Phase.REFUNDED
    assert now.words is not None
    assert "way back" in now.words.title


@pytest.mark.parametrize("order", ["expired", "canceled"])
@pytest.mark.parametrize("state", ["open", "confirming", "unsure"])
def test_m21_an_order_that_ends_while_money_may_move_is_not_over_and_never_says_that_nothing_was_taken(
    order: OrderState, state: AttemptState
) -> None:
    now = checkout(order, payment(state))
    assert (now.phase, now.over, now.may_try, now.may_cancel) == (Phase.ENDING, False, False, False)
    assert now.words is not None
    assert "comes back by itself" in now.words.advice
    assert now.mark != checkout("pending", payment(state)).mark


@pytest.mark.parametrize("order", ["expired", "canceled"])
def test_m21_of_an_order_that_ended_nothing_is_promised_while_payments_cannot_be_asked(
    order: OrderState,
) -> None:
    assert checkout(order, None, till_away=True).phase is Phase.ENDING
    assert checkout("paid", None, till_away=True).over


@pytest.mark.parametrize("state", ["confirming", "unsure"])
def test_while_money_may_be_moving_nobody_pays_again_or_cancels(state: AttemptState) -> None:
    now = checkout("pending", payment(state))
    assert (now.may_try, now.may_cancel, now.over) == (False, False, False)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        *(
            ("ZM", "PIN was wrong"),
            ("ZA", "declined"),
            ("Z9", "not enough money"),
            ("U69", "not used in time"),
        ),
        *(("U16", "precaution"), ("U67", "did not answer"), ("RR", "way back"), ("U02", "limit")),
    ],
)
def test_a_failure_is_told_in_words_with_what_to_do(code: str, said: str) -> None:
    now = checkout("pending", payment("failed", code=code))
    assert now.words is not None
    assert said in now.words.title
    assert len(now.words.advice) > 20
    assert now.may_try


def test_a_code_that_we_do_not_know_is_told_in_the_rails_own_words() -> None:
    assert words_of(Attempt(1, "failed", code="X9", reason="The moon is full.")).title == "The moon is full."
    assert words_of(Attempt(1, "failed", code="X9")).title == "The payment did not go through"


def test_the_mark_changes_with_phase_and_attempt() -> None:
    known = (None, payment("open"), payment("failed"), payment("failed", "open"), payment("failed", "failed"))
    marks = [checkout("pending", one).mark for one in known]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize(("hears", "seconds"), [(True, buying.SELDOM_SECONDS), (False, buying.LATER_SECONDS)])
def test_a_checkout_that_waits_for_the_payer_is_seldom_asked_about_while_payments_would_tell(
    hears: bool, seconds: float
) -> None:
    assert buying.pause("scan-1", hears=hears) == seconds
    assert buying.pause("confirming-1", hears=hears) == seconds
    assert buying.pause("preparing", hears=hears) == buying.SOON_SECONDS
    assert buying.pause("settling-1", hears=hears) == buying.SOON_SECONDS
