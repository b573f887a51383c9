"""What is derived of the journals: accounts with balances, days, holds. Fold them all, and you have the tables (M14)."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from services.ledger.domain.book import Book
from services.ledger.domain.holds import RESOLVED, State
from services.ledger.domain.journals import Draft


@dataclass(frozen=True, slots=True)
class HoldState:
    """What became of a hold."""

    sequence: int
    expires_at: datetime
    state: State = "pending"
    resolved_by: int | None = None


@dataclass(slots=True)
class Projections:
    """The fold."""

    book: Book = field(default_factory=Book)
    days: dict[tuple[str, date], tuple[int, int]] = field(default_factory=dict)
    holds: dict[UUID, HoldState] = field(default_factory=dict)

    def apply(self, sequence: int, draft: Draft) -> None:
        """Add a journal. Raises Refusal for one that the books forbid; ValueError or KeyError for one that is none."""
        self.book.apply(draft)
        count_days(self.days, draft)
        if draft.kind == "hold":
            expires_at = datetime.fromisoformat(str(draft.details["expires_at"]))
            self.holds[draft.id] = HoldState(sequence, expires_at)
        elif draft.kind in RESOLVED and draft.related is not None:
            held = self.holds[draft.related]
            self.holds[draft.related] = HoldState(
                held.sequence, held.expires_at, RESOLVED[draft.kind], sequence
            )


def count_days(days: dict[tuple[str, date], tuple[int, int]], draft: Draft) -> None:
    """Add a draft's posted legs to the sums of their day of effective time (UTC)."""
    day = draft.effective_at.astimezone(UTC).date()
    for transfer in draft.transfers:
        if transfer.pending:
            continue
        for leg in transfer.legs:
            debits, credits_ = days.get((leg.account, day), (0, 0))
            if leg.side == "debit":
                days[leg.account, day] = (debits + leg.amount, credits_)
            else:
                days[leg.account, day] = (debits, credits_ + leg.amount)
