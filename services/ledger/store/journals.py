"""Journals as they were sealed, and what became of holds."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import text

from services.ledger.domain.holds import Hold, State
from services.ledger.domain.journals import Draft, Journal, Kind, Leg, Side, Transfer
from services.ledger.store.tables import HoldRow
from suuupra.db import Transaction

_COLUMNS: Final = "j.sequence, j.id, j.kind, j.effective_at, j.posted_at, j.description, j.reference, j.related, j.details, j.leaf, j.hash"
_ENTRIES: Final = text("""
SELECT sequence, leg, transfer, pending, account, currency, side, amount, effective_at, seal FROM entry
WHERE sequence = ANY(:sequences) ORDER BY sequence, leg
""")
_BY_ID: Final = text(f"SELECT {_COLUMNS} FROM journal j WHERE j.id = ANY(:ids) ORDER BY j.sequence")  # noqa: S608
_AFTER: Final = text(f"""
SELECT {_COLUMNS} FROM journal j WHERE j.sequence > :after AND j.sequence <= :up_to ORDER BY j.sequence LIMIT :limit
""")  # noqa: S608
_EFFECTIVE: Final = text(f"""
SELECT {_COLUMNS} FROM journal j
WHERE j.sequence > :after AND j.sequence <= :up_to
    AND (CAST(:begin AS timestamptz) IS NULL OR j.effective_at >= CAST(:begin AS timestamptz))
    AND (CAST(:end AS timestamptz) IS NULL OR j.effective_at < CAST(:end AS timestamptz))
ORDER BY j.sequence LIMIT :limit
""")  # noqa: S608


async def with_ids(tx: Transaction, ids: Collection[UUID]) -> list[Journal]:
    """The journals with these ids that there are."""
    return await assembled(tx, (await tx.execute(_BY_ID, {"ids": list(ids)})).all())


async def find(tx: Transaction, journal_id: UUID) -> Journal | None:
    """The journal with that id."""
    return next(iter(await with_ids(tx, [journal_id])), None)


async def listed(
    tx: Transaction, *, before: int, limit: int, reference: str | None = None, kind: str | None = None
) -> list[Journal]:
    """Journals, the latest first, before a place in the chain."""
    # Each filter as a condition of its own, which an index answers; «:x IS NULL OR …» none would.
    conditions = ["j.sequence < :before"]
    if reference is not None:
        conditions.append("j.reference = :reference")
    if kind is not None:
        conditions.append("j.kind = :kind" + ("" if kind == "transfer" else " AND j.kind <> 'transfer'"))
    statement = text(f"""
        SELECT {_COLUMNS} FROM journal j WHERE {" AND ".join(conditions)} ORDER BY j.sequence DESC LIMIT :limit
    """)  # noqa: S608 - of constants
    chosen = {"reference": reference, "kind": kind}
    values = {name: value for name, value in chosen.items() if value is not None}
    rows = (await tx.execute(statement, {"before": before, "limit": limit, **values})).all()
    return (await assembled(tx, rows))[::-1]


async def effective(
    tx: Transaction, *, begin: datetime | None, end: datetime | None, after: int, up_to: int, limit: int
) -> list[Journal]:
    """Journals of a span of effective time in the order of the chain."""
    values = {"begin": begin, "end": end, "after": after, "up_to": up_to, "limit": limit}
    return await assembled(tx, (await tx.execute(_EFFECTIVE, values)).all())


async def rows_after(
    tx: Transaction, after: int, up_to: int, limit: int
) -> tuple[Sequence[Any], Mapping[int, list[Any]]]:
    """Rows of journals in the order of the chain as they are, and those of their entries, for whoever checks them."""
    rows = (await tx.execute(_AFTER, {"after": after, "up_to": up_to, "limit": limit})).all()
    return rows, await entry_rows(tx, [row.sequence for row in rows])


async def entry_rows(tx: Transaction, sequences: Sequence[int]) -> Mapping[int, list[Any]]:
    """Rows of entries by the sequence of their journal."""
    found = (await tx.execute(_ENTRIES, {"sequences": list(sequences)})).all()
    return {sequence: list(group) for sequence, group in groupby(found, key=lambda row: int(row.sequence))}


async def assembled(tx: Transaction, rows: Sequence[Any]) -> list[Journal]:
    """Journals of their rows, in the order of the chain."""
    entries = await entry_rows(tx, [row.sequence for row in rows]) if rows else {}
    ordered = sorted(rows, key=lambda row: int(row.sequence))
    return [journal_of(row, entries.get(row.sequence, [])) for row in ordered]


def journal_of(row: Any, entries: Sequence[Any]) -> Journal:
    """A journal of its row and those of its entries."""
    draft = Draft(
        row.id,
        cast("Kind", row.kind),
        row.effective_at,
        row.description,
        transfers_of(entries),
        row.reference,
        row.related,
        row.details,
    )
    return Journal(row.sequence, row.posted_at, draft, bytes(row.leaf), bytes(row.hash))


def transfers_of(entries: Sequence[Any]) -> tuple[Transfer, ...]:
    """The linked transfers that entries make."""
    return tuple(
        Transfer(
            group[0].currency,
            tuple(Leg(row.account, cast("Side", row.side), row.amount) for row in group),
            group[0].pending,
        )
        for group in (list(rows) for _, rows in groupby(entries, key=lambda row: int(row.transfer)))
    )


async def hold(tx: Transaction, journal_id: UUID) -> HoldRow | None:
    """What became of a hold."""
    return await tx.get(HoldRow, journal_id)


async def holds_of(tx: Transaction, ids: Collection[UUID]) -> Mapping[UUID, tuple[State, datetime]]:
    """State and expiry of those journals that are holds."""
    found = text("SELECT journal_id, state, expires_at FROM hold WHERE journal_id = ANY(:ids)")
    rows = (await tx.execute(found, {"ids": list(ids)})).all()
    return {row.journal_id: (cast("State", row.state), row.expires_at) for row in rows}


def hold_of(row: HoldRow, journal: Journal) -> Hold:
    """A hold with its journal."""
    return Hold(journal.draft, row.expires_at, cast("State", row.state))


async def place(tx: Transaction, journal: Journal, expires_at: datetime) -> None:
    """Keep that a hold is pending."""
    tx.add(
        HoldRow(
            journal_id=journal.draft.id,
            sequence=journal.sequence,
            expires_at=expires_at,
            state="pending",
            resolved_by=None,
        )
    )
    await tx.flush()


_RESOLVE: Final = text("""
UPDATE hold SET state = :state, resolved_by = :sequence WHERE journal_id = :id AND state = 'pending'
""")


async def resolve(tx: Transaction, hold_id: UUID, state: State, sequence: int) -> None:
    """Keep what became of a hold."""
    await tx.execute(_RESOLVE, {"id": hold_id, "state": state, "sequence": sequence})


async def reversal_of(tx: Transaction, journal_id: UUID) -> UUID | None:
    """The journal that reversed another."""
    found = text("SELECT id FROM journal WHERE related = :id AND kind = 'reversal'")
    reversal: UUID | None = await tx.scalar(found, {"id": journal_id})
    return reversal


_AMOUNTS: Final = text("""
SELECT j.id, e.currency, CAST(sum(e.amount) AS bigint) FROM journal j JOIN entry e ON e.sequence = j.sequence
WHERE j.id = ANY(:ids) AND e.side = 'debit' AND NOT e.pending GROUP BY j.id, e.currency
""")


async def amounts(tx: Transaction, ids: Collection[UUID]) -> Mapping[UUID, tuple[str, int]]:
    """Currency and debited amount of journals in one currency."""
    rows = (await tx.execute(_AMOUNTS, {"ids": list(ids)})).all()
    return {row[0]: (row[1], row[2]) for row in rows}


async def beyond(tx: Transaction, sequence: int) -> list[int]:
    """Journals behind a place in the chain, some of them if they are many."""
    found = text("SELECT sequence FROM journal WHERE sequence > :sequence ORDER BY sequence LIMIT 100")
    return list((await tx.scalars(found, {"sequence": sequence})).all())


_ORPHANS: Final = text("""
SELECT e.sequence, e.leg FROM entry e
WHERE NOT EXISTS (SELECT FROM journal j WHERE j.sequence = e.sequence) ORDER BY e.sequence, e.leg LIMIT 100
""")


async def orphans(tx: Transaction) -> list[tuple[int, int]]:
    """Entries without a journal, some of them if they are many."""
    return [(row.sequence, row.leg) for row in (await tx.execute(_ORPHANS)).all()]
