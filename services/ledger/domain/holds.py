"""Holds and reversals: what follows from a journal that is there. Pending → post | void | expire, exactly once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.ledger.domain.accounts import flipped
from services.ledger.domain.journals import Draft, Leg, Transfer, Value
from services.ledger.domain.refusals import HoldResolved, Malformed
from suuupra.money import Money

State = Literal["pending", "posted", "voided", "expired"]
RESOLVED: Mapping[str, State] = {"post": "posted", "void": "voided", "expire": "expired"}


@dataclass(frozen=True, slots=True)
class Hold:
    """A held journal, and what became of it."""

    draft: Draft
    expires_at: datetime
    state: State = "pending"


def check_pending(hold: Hold, now: datetime) -> None:
    """Raise HoldResolved unless the hold can still be posted or voided. Its time is over at `expires_at` itself."""
    state: State = "expired" if hold.state == "pending" and now >= hold.expires_at else hold.state
    if state != "pending":
        raise HoldResolved("", f"must be pending; it is {state}", "place a new hold")


def posted(hold: Hold, journal_id: UUID, at: datetime, amount: int | None, description: str | None) -> Draft:
    """Post a hold, or `amount` of it; what is left is released."""
    transfers = hold.draft.transfers
    moved = transfers if amount is None else (_part(transfers, amount),)
    final = tuple(Transfer(transfer.currency, transfer.legs) for transfer in moved)
    return _resolution(hold, journal_id, "post", at, description, final)


def voided(hold: Hold, journal_id: UUID, at: datetime, description: str | None) -> Draft:
    """Release a hold."""
    return _resolution(hold, journal_id, "void", at, description, ())


def expired(hold: Hold, journal_id: UUID) -> Draft:
    """Release a hold whose time is over: as of then, whenever it is noticed."""
    return _resolution(hold, journal_id, "expire", hold.expires_at, None, ())


def _resolution(
    hold: Hold,
    journal_id: UUID,
    kind: Literal["post", "void", "expire"],
    at: datetime,
    description: str | None,
    final: tuple[Transfer, ...],
) -> Draft:
    released = tuple(_released(transfer) for transfer in hold.draft.transfers)
    return Draft(
        journal_id,
        kind,
        at,
        description or f"{kind}: {hold.draft.description}"[:200],
        released + final,
        reference=hold.draft.reference,
        related=hold.draft.id,
    )


def _released(transfer: Transfer) -> Transfer:
    legs = tuple(Leg(leg.account, leg.side, -leg.amount) for leg in transfer.legs)
    return Transfer(transfer.currency, legs, pending=True)


def _part(transfers: tuple[Transfer, ...], amount: int) -> Transfer:
    """`amount` of a hold's one transfer, spread over its legs in proportion; no minor unit is lost (M17)."""
    if len(transfers) != 1:
        raise Malformed(
            "amount_minor",
            "must be left out for a hold of several linked transfers",
            "post all of it, or void it and place another",
        )
    transfer = transfers[0]
    whole = sum(leg.amount for leg in transfer.legs if leg.side == "debit")
    if not 0 < amount <= whole:
        raise Malformed(
            "amount_minor", f"must be 1 to {whole}, what is held", "leave it out to post all of it"
        )
    legs = [*_shares(transfer, "debit", amount), *_shares(transfer, "credit", amount)]
    return Transfer(transfer.currency, tuple(legs))


def _shares(transfer: Transfer, side: Literal["debit", "credit"], amount: int) -> list[Leg]:
    legs = [leg for leg in transfer.legs if leg.side == side]
    shares = Money(amount, transfer.currency).allocate([leg.amount for leg in legs])
    return [
        Leg(leg.account, side, share.minor) for leg, share in zip(legs, shares, strict=True) if share.minor
    ]


def reversed_(draft: Draft, journal_id: UUID, at: datetime, description: str) -> Draft:
    """The mirror image of a journal's posted transfers. Raises Malformed for one that posted nothing."""
    mirrored = tuple(
        Transfer(
            transfer.currency, tuple(Leg(leg.account, flipped(leg.side), leg.amount) for leg in transfer.legs)
        )
        for transfer in draft.transfers
        if not transfer.pending
    )
    if not mirrored or draft.kind == "reversal":
        raise Malformed(
            "",
            f"must have posted something that stands; this is a journal of kind {draft.kind}",
            "void a hold; post a reversed journal again by a new one",
        )
    details: dict[str, Value] = {"reverses": str(draft.id)}
    return Draft(
        journal_id,
        "reversal",
        at,
        description,
        mirrored,
        reference=draft.reference,
        related=draft.id,
        details=details,
    )
