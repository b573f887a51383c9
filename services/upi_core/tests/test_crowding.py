"""How many payments one process takes to be under way, without asking anybody."""

import pytest

from services.upi_core.domain.crowding import UnderWay

TIMER = 15.0


@pytest.fixture
def under_way() -> UnderWay:
    return UnderWay(TIMER)


def begin(under_way: UnderWay, name: str, at: float) -> None:
    under_way.begin(f"txn {name}", f"request {name}", at)


def test_a_payment_counts_from_its_beginning_to_its_end(under_way: UnderWay) -> None:
    begin(under_way, "a", 0)
    begin(under_way, "b", 1)
    assert len(under_way.asked(2)) == 2
    under_way.end("txn a")
    assert len(under_way.asked(2)) == 1


def test_what_was_asked_for_is_known_while_its_payment_counts(under_way: UnderWay) -> None:
    begin(under_way, "a", 0)
    begin(under_way, "b", 1)
    assert under_way.asked(2) == {"request a", "request b"}
    assert under_way.asked(TIMER) == {"request b"}
    under_way.end("txn b")
    assert under_way.asked(TIMER) == set()


def test_one_whose_step_has_ended_by_its_timer_counts_no_more(under_way: UnderWay) -> None:
    begin(under_way, "a", 0)
    begin(under_way, "b", 10)
    assert len(under_way.asked(TIMER - 0.1)) == 2
    assert len(under_way.asked(TIMER)) == 1


def test_the_late_end_of_one_that_counts_no_more_frees_no_other_place(under_way: UnderWay) -> None:
    begin(under_way, "late", 0)
    begin(under_way, "a", TIMER)
    under_way.end("txn late")
    assert len(under_way.asked(TIMER)) == 1


def test_the_end_of_what_began_at_another_process_frees_no_place_here(under_way: UnderWay) -> None:
    begin(under_way, "a", 0)
    under_way.end("of another process")
    assert len(under_way.asked(2)) == 1


def test_what_has_not_ended_here_for_a_while_is_asked_about(under_way: UnderWay) -> None:
    for number in range(4):
        begin(under_way, str(number), number)
    under_way.end("txn 1")
    assert under_way.begun_before(3, now=3) == ["txn 0", "txn 2"]
    assert under_way.begun_before(3, now=TIMER) == ["txn 2"], "what is counted no more is nobody's question"


def test_ends_that_never_come_are_not_remembered_for_ever(under_way: UnderWay) -> None:
    for number in range(100):
        begin(under_way, str(number), number)
    assert len(under_way._begun) == TIMER
