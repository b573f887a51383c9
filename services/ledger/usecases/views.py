"""What the ledger keeps, as callers see it."""

from datetime import datetime

from services.ledger import contract
from services.ledger.domain.accounts import Account, Totals
from services.ledger.domain.holds import State
from services.ledger.domain.journals import Journal
from services.ledger.store.tables import CheckpointRow


def balance(account: Account, totals: Totals) -> contract.Balance:
    """An account's balance."""
    return contract.Balance(
        account=account.code,
        currency=account.currency,
        side=account.side,
        balance_minor=totals.balance(account.side),
        debits_minor=totals.debits,
        credits_minor=totals.credits,
        pending_debits_minor=totals.pending_debits,
        pending_credits_minor=totals.pending_credits,
        available_minor=totals.lowest(account.side),
    )


def account(found: Account, totals: Totals) -> contract.Account:
    """An account with its balance."""
    return contract.Account(
        code=found.code,
        name=found.name,
        kind=found.kind,
        currency=found.currency,
        side=found.side,
        minimum_minor=found.minimum,
        maximum_minor=found.maximum,
        state=found.state,
        version=found.version,
        balance=balance(found, totals),
    )


def journal(found: Journal, hold: tuple[State, datetime] | None = None) -> contract.Journal:
    """A journal; of a hold, with what became of it."""
    draft = found.draft
    state, expires_at = hold or (None, None)
    return contract.Journal(
        sequence=found.sequence,
        id=draft.id,
        kind=draft.kind,
        effective_at=draft.effective_at,
        posted_at=found.posted_at,
        description=draft.description,
        reference=draft.reference,
        related_id=draft.related,
        details=dict(draft.details),
        transfers=[
            contract.Transfer(
                currency=transfer.currency,
                pending=transfer.pending,
                legs=[
                    contract.Leg(account=leg.account, side=leg.side, amount_minor=leg.amount)
                    for leg in transfer.legs
                ],
            )
            for transfer in draft.transfers
        ],
        leaf=found.leaf.hex(),
        hash=found.hash.hex(),
        hold=state,
        expires_at=expires_at,
    )


def checkpoint(row: CheckpointRow) -> contract.Checkpoint:
    """A checkpoint."""
    return contract.Checkpoint(
        size=row.size,
        hash=bytes(row.hash).hex(),
        root=bytes(row.root).hex(),
        at=row.at,
        key_id=row.key_id,
        signed=row.signed,
    )
