"""How many payments one process takes to be under way, without asking anybody."""

import pytest

from services.upi_core.domain.crowding import UnderWay

TIMER = 15.0


@pytest.fixture
def under_way() -> UnderWay:
    return UnderWay(TIMER)


def test_a_payment_counts_from_its_beginning_to_its_end(under_way: UnderWay) -> None:
    under_way.begin("a", 0)
    under_way.begin("b", 1)
    assert under_way.count(2) == 2
    under_way.end("a")
    assert under_way.count(2) == 1


def test_one_whose_step_has_ended_by_its_timer_counts_no_more(under_way: UnderWay) -> None:
    under_way.begin("a", 0)
    under_way.begin("b", 10)
    assert under_way.count(TIMER - 0.1) == 2
    assert under_way.count(TIMER) == 1


def test_the_late_end_of_one_that_counts_no_more_frees_no_other_place(under_way: UnderWay) -> None:
    under_way.begin("late", 0)
    under_way.begin("a", TIMER)
    under_way.end("late")
    assert under_way.count(TIMER) == 1


def test_the_end_of_what_began_at_another_process_frees_no_place_here(under_way: UnderWay) -> None:
    under_way.begin("a", 0)
    under_way.end("of another process")
    assert under_way.count(2) == 1


def test_what_has_not_ended_here_for_a_while_is_asked_about(under_way: UnderWay) -> None:
    for number in range(4):
        under_way.begin(f"txn{number}", number)
    under_way.end("txn1")
    assert under_way.begun_before(3, now=3) == ["txn0", "txn2"]
    assert under_way.begun_before(3, now=TIMER) == ["txn2"], "what is counted no more is nobody's question"


def test_ends_that_never_come_are_not_remembered_for_ever(under_way: UnderWay) -> None:
    for number in range(100):
        under_way.begin(f"txn{number}", number)
    assert len(under_way._begun) == TIMER
