"""Bookings: each is some legs that add up to nothing, so that money is moved and never made."""

from dataclasses import dataclass
from typing import Final

SETTLEMENT: Final = "SETTLEMENT"
"""What the bank owes the rail, and through it all other banks."""
FEES: Final = "FEES"
CAPITAL: Final = "CAPITAL"
"""Where opening balances come from."""
INTERNAL: Final = (SETTLEMENT, FEES, CAPITAL)
"""The bank's own accounts. Their balances are sums of entries and not kept: one row that every booking changes would
let only one booking through at a time."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Paise into an account (or out of it, below zero)."""

    account: str
    minor: int


class Unbalanced(ValueError):
    """A booking whose legs do not add up to nothing."""


def balanced(*movements: Movement) -> tuple[Movement, ...]:
    """The movements, without those of nothing. Raises Unbalanced."""
    if sum(movement.minor for movement in movements) != 0:
        raise Unbalanced(f"{movements} add up to {sum(m.minor for m in movements)}")
    return tuple(movement for movement in movements if movement.minor != 0)


def debit(account: str, minor: int) -> tuple[Movement, ...]:
    """Out of a customer's account, to the rail."""
    return balanced(Movement(account, -minor), Movement(SETTLEMENT, minor))


def credit(account: str, minor: int, fee_permille: int = 0) -> tuple[Movement, ...]:
    """From the rail into an account, whose owner may pay a fee for it, rounded down."""
    fee = minor * fee_permille // 1000
    return balanced(
        Movement(SETTLEMENT, -minor), Movement(account, minor), Movement(account, -fee), Movement(FEES, fee)
    )


def reversal(account: str, minor: int) -> tuple[Movement, ...]:
    """A debit taken back."""
    return balanced(Movement(SETTLEMENT, -minor), Movement(account, minor))


def opening(account: str, minor: int) -> tuple[Movement, ...]:
    return balanced(Movement(CAPITAL, -minor), Movement(account, minor))
