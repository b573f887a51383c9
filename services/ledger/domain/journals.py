"""What the books are made of: journals of linked transfers of legs. All frozen; amounts are minor units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from suuupra.money import MAX_MINOR as MAX_MINOR

Side = Literal["debit", "credit"]
Kind = Literal["account", "transfer", "exchange", "hold", "post", "void", "expire", "reversal"]
Value = str | int | None

RESOLUTIONS: Final[frozenset[Kind]] = frozenset({"post", "void", "expire"})
"""The kinds that resolve a hold: each releases what it held."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No journal counts from before that: an effective time before it is a mistake."""


@dataclass(frozen=True, slots=True)
class Leg:
    """An amount on one side of an account. Below zero only where a hold is released."""

    account: str
    side: Side
    amount: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Legs in one currency whose debits equal their credits; pending ones do not count as posted."""

    currency: str
    legs: tuple[Leg, ...]
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A journal that is asked for. Its transfers are linked: all are made, or none.

    Of kind `account` it has no transfers: it opens or changes the account that `details` describe.
    """

    id: UUID
    kind: Kind
    effective_at: datetime
    description: str
    transfers: tuple[Transfer, ...] = ()
    reference: str | None = None
    related: UUID | None = None
    details: Mapping[str, Value] = field(default_factory=dict)

    def legs(self) -> Iterator[tuple[int, int, Transfer, Leg]]:
        """Each leg with its number in the journal and its transfer's, both from 1."""
        number = 0
        for index, transfer in enumerate(self.transfers, 1):
            for leg in transfer.legs:
                number += 1
                yield number, index, transfer, leg


@dataclass(frozen=True, slots=True)
class Journal:
    """A draft at its place in the chain."""

    sequence: int
    posted_at: datetime
    draft: Draft
    leaf: bytes
    hash: bytes


def same_content(one: Draft, other: Draft) -> bool:
    """Whether two drafts of one id say the same: what makes the second a duplicate, and not a mistake (M4)."""
    return (
        one.id == other.id
        and one.kind == other.kind
        and one.effective_at == other.effective_at
        and one.description == other.description
        and one.transfers == other.transfers
        and one.reference == other.reference
        and one.related == other.related
        and dict(one.details) == dict(other.details)
    )
