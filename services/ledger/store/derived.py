"""The tables that are folds of the journals: read whole, and made anew."""

from collections.abc import Mapping
from datetime import date
from typing import Final, cast
from uuid import UUID

from sqlalchemy import text

from services.ledger.domain.holds import State
from services.ledger.domain.projections import HoldState, Projections
from services.ledger.store import chain
from suuupra.db import Transaction

_CLEAR: Final = ("DELETE FROM account", "DELETE FROM balance_day", "DELETE FROM hold")
_DAYS: Final = text("""
INSERT INTO balance_day (account, day, debits, credits)
SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:days AS date[]), CAST(:debits AS bigint[]), CAST(:credits AS bigint[]))
""")
_HOLDS: Final = text("""
INSERT INTO hold (journal_id, sequence, expires_at, state, resolved_by)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:expiries AS timestamptz[]),
    CAST(:states AS text[]), CAST(:resolved AS bigint[]))
""")


async def days(tx: Transaction) -> Mapping[tuple[str, date], tuple[int, int]]:
    """All days of all accounts."""
    rows = (await tx.execute(text("SELECT account, day, debits, credits FROM balance_day"))).all()
    return {(row.account, row.day): (row.debits, row.credits) for row in rows}


async def holds(tx: Transaction) -> Mapping[UUID, HoldState]:
    """All holds."""
    found = await tx.execute(text("SELECT journal_id, sequence, expires_at, state, resolved_by FROM hold"))
    return {
        row.journal_id: HoldState(row.sequence, row.expires_at, cast("State", row.state), row.resolved_by)
        for row in found.all()
    }


async def replace(tx: Transaction, made: Projections) -> None:
    """Put the fold in the place of the tables."""
    for statement in _CLEAR:
        await tx.execute(text(statement))
    await chain.save_accounts(tx, made.book, sorted(made.book.accounts))
    keys = sorted(made.days)
    await tx.execute(
        _DAYS,
        {
            "accounts": [account for account, _ in keys],
            "days": [day for _, day in keys],
            "debits": [made.days[key][0] for key in keys],
            "credits": [made.days[key][1] for key in keys],
        },
    )
    ids = sorted(made.holds)
    await tx.execute(
        _HOLDS,
        {
            "ids": ids,
            "sequences": [made.holds[id_].sequence for id_ in ids],
            "expiries": [made.holds[id_].expires_at for id_ in ids],
            "states": [made.holds[id_].state for id_ in ids],
            "resolved": [made.holds[id_].resolved_by for id_ in ids],
        },
    )
