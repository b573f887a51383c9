"""Two carts become one."""

from uuid import UUID

from services.commerce.domain.carts import MOST_LINES, Wanted, merged


def line(variant: int, quantity: int = 1, minor: int = 100) -> Wanted:
    return Wanted(UUID(int=variant), quantity, minor)


def test_lines_of_both_are_there_and_what_is_in_both_is_there_once_at_the_price_seen_last() -> None:
    kept, joining = [line(1), line(2, 3, 100)], [line(2, 1, 90), line(3)]
    assert merged(kept, joining) == [line(1), line(2, 3, 90), line(3)]


def test_a_cart_stays_within_its_most_lines() -> None:
    assert len(merged([line(n) for n in range(40)], [line(n) for n in range(40, 80)])) == MOST_LINES
