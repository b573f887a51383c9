"""How many payments one process takes to be under way, without asking anybody."""

import pytest

from services.upi_core.domain import crowding
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


def test_what_began_at_another_process_and_ends_here_stands_for_what_ends_there(under_way: UnderWay) -> None:
    under_way.begin("a", 0)
    under_way.begin("b", 1)
    under_way.end("of another process")
    assert under_way.count(2) == 1
    under_way.end("b")
    assert under_way.count(2) == 0
    under_way.end("of a process that is no more")
    assert under_way.count(2) == 0


def test_two_processes_that_share_payments_count_together_what_is_under_way() -> None:
    one, other = UnderWay(TIMER), UnderWay(TIMER)
    for number in range(10):
        (one if number % 2 else other).begin(f"txn{number}", 0)
    for number in range(6):
        (one if number % 3 else other).end(f"txn{number}")
    assert one.count(1) + other.count(1) == 4


def test_ends_that_never_come_are_not_remembered_for_ever(
    under_way: UnderWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowding, "REMEMBERED", 3)
    for number in range(10):
        under_way.begin(f"txn{number}", number)
    assert under_way.count(9) == 3
