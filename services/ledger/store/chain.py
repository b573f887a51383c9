"""The end of the chain, and what is appended to it: one lock, one statement, however many journals there are."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text

from services.ledger.domain.book import Book
from services.ledger.domain.journals import Journal
from services.ledger.domain.merkle import Frontier
from services.ledger.domain.sealing import moment, seal_of
from suuupra.db import Transaction

Day = tuple[str, date]
"""Account and day of effective time."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain."""

    sequence: int
    hash: bytes
    frontier: bytes
    posted_at: datetime

    def tree(self) -> Frontier:
        """The right edge of its tree."""
        return Frontier.of(self.sequence, self.frontier)


@dataclass(frozen=True, slots=True)
class Appended:
    """Journals to be written, with the canonical JSON of their entries and all that follows from them."""

    journals: Sequence[Journal]
    entries: Sequence[Sequence[str]]
    head: Head
    nodes: Sequence[tuple[int, int, bytes]]
    days: Mapping[Day, tuple[int, int]]


_json: Final = json.JSONEncoder(ensure_ascii=False, default=dict).encode
_HEAD: Final = "SELECT sequence, hash, frontier, posted_at FROM head WHERE id = 1"
_LOCK: Final = text(f"{_HEAD} FOR UPDATE")
_READ: Final = text(_HEAD)

_SAVE: Final = """
INSERT INTO account AS a (code, name, kind, currency, side, minimum, maximum, state, version,
    debits, credits, pending_debits, pending_credits)
SELECT * FROM unnest(CAST(:a_codes AS text[]), CAST(:a_names AS text[]), CAST(:a_kinds AS text[]), CAST(:a_currencies AS text[]),
    CAST(:a_sides AS text[]), CAST(:a_minima AS bigint[]), CAST(:a_maxima AS bigint[]), CAST(:a_states AS text[]),
    CAST(:a_versions AS integer[]), CAST(:a_debits AS bigint[]), CAST(:a_credits AS bigint[]),
    CAST(:a_pending_debits AS bigint[]), CAST(:a_pending_credits AS bigint[]))
ON CONFLICT (code) DO UPDATE SET name = excluded.name, minimum = excluded.minimum, maximum = excluded.maximum,
    state = excluded.state, version = excluded.version, debits = excluded.debits, credits = excluded.credits,
    pending_debits = excluded.pending_debits, pending_credits = excluded.pending_credits
"""

_SAVE_ALONE: Final = text(_SAVE)

_APPEND: Final = text(f"""
WITH saved AS ({_SAVE}),
journals AS (
    INSERT INTO journal (sequence, id, kind, effective_at, posted_at, description, reference, related, details, leaf, hash)
    SELECT sequence, id, kind, effective_at, CAST(:posted_at AS timestamptz), description, reference, related,
        CAST(details AS jsonb), decode(leaf, 'hex'), decode(hash, 'hex')
    FROM unnest(CAST(:sequences AS bigint[]), CAST(:ids AS uuid[]), CAST(:kinds AS text[]),
            CAST(:effective AS timestamptz[]), CAST(:descriptions AS text[]), CAST(:reference AS text[]),
            CAST(:related AS uuid[]), CAST(:details AS text[]), CAST(:leaves AS text[]), CAST(:hashes AS text[]))
        AS t (sequence, id, kind, effective_at, description, reference, related, details, leaf, hash)),
entries AS (
    INSERT INTO entry (sequence, leg, transfer, pending, account, currency, side, amount, effective_at, seal)
    SELECT * FROM unnest(CAST(:entry_sequences AS bigint[]), CAST(:legs AS smallint[]), CAST(:transfers AS smallint[]),
        CAST(:pending AS boolean[]), CAST(:accounts AS text[]), CAST(:currencies AS text[]), CAST(:sides AS text[]),
        CAST(:amounts AS bigint[]), CAST(:entry_effective AS timestamptz[]), CAST(:seals AS bigint[]))),
days AS (
    INSERT INTO balance_day AS d (account, day, debits, credits)
    SELECT * FROM unnest(CAST(:day_accounts AS text[]), CAST(:days AS date[]), CAST(:day_debits AS bigint[]),
        CAST(:day_credits AS bigint[]))
    ON CONFLICT (account, day) DO UPDATE SET debits = d.debits + excluded.debits, credits = d.credits + excluded.credits),
nodes AS (
    INSERT INTO tree_node (level, index, hash)
    SELECT level, index, decode(hash, 'hex') FROM unnest(CAST(:node_levels AS smallint[]), CAST(:node_indices AS bigint[]),
        CAST(:node_hashes AS text[])) AS t (level, index, hash))
UPDATE head SET sequence = :sequence, hash = :hash, frontier = :frontier, posted_at = :posted_at WHERE id = 1
""")  # noqa: S608 - of constants


async def lock(tx: Transaction) -> Head:
    """The end of the chain, which nobody else can move before this transaction ends."""
    return _head((await tx.execute(_LOCK)).one())


async def read(tx: Transaction) -> Head:
    """The end of the chain as of now."""
    return _head((await tx.execute(_READ)).one())


def _head(row: Any) -> Head:
    return Head(row.sequence, bytes(row.hash), bytes(row.frontier), row.posted_at)


async def append(tx: Transaction, appended: Appended, book: Book) -> None:
    """Write journals, entries, days, nodes and the new head; and the accounts of the book that were touched."""
    values = {
        **_account_columns(book, sorted(book.touched)),
        **_journal_columns(appended.journals),
        **_entry_columns(appended),
        **_day_columns(appended.days),
        "node_levels": _array(level for level, _, _ in appended.nodes),
        "node_indices": _array(index for _, index, _ in appended.nodes),
        "node_hashes": _array(node.hex() for _, _, node in appended.nodes),
        "sequence": appended.head.sequence,
        "hash": appended.head.hash,
        "frontier": appended.head.frontier,
        "posted_at": appended.head.posted_at,
    }
    await tx.execute(_APPEND, values)


async def save_accounts(tx: Transaction, book: Book, codes: Sequence[str]) -> None:
    """Write accounts of the book with their balances, new or known."""
    await tx.execute(_SAVE_ALONE, _account_columns(book, codes))


def _account_columns(book: Book, codes: Sequence[str]) -> dict[str, Any]:
    accounts = [book.accounts[code] for code in codes]
    totals = [book.totals[code] for code in codes]
    return {
        "a_codes": list(codes),
        "a_names": [account.name for account in accounts],
        "a_kinds": [account.kind for account in accounts],
        "a_currencies": [account.currency for account in accounts],
        "a_sides": [account.side for account in accounts],
        "a_minima": [account.minimum for account in accounts],
        "a_maxima": [account.maximum for account in accounts],
        "a_states": [account.state for account in accounts],
        "a_versions": [account.version for account in accounts],
        "a_debits": [total.debits for total in totals],
        "a_credits": [total.credits for total in totals],
        "a_pending_debits": [total.pending_debits for total in totals],
        "a_pending_credits": [total.pending_credits for total in totals],
    }


# psycopg takes a microsecond for each element of a list, and a batch of 500 journals has twenty thousand: arrays are
# given as PostgreSQL writes them.


def _array(values: Iterable[object]) -> str:
    """An array literal of values whose text needs no quotes: numbers, ids, times, hex, codes of accounts."""
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Iterable[str | None]) -> str:
    """An array literal of any text."""
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _journal_columns(journals: Sequence[Journal]) -> dict[str, Any]:
    drafts = [journal.draft for journal in journals]
    return {
        "sequences": _array(journal.sequence for journal in journals),
        "ids": _array(draft.id for draft in drafts),
        "kinds": _array(draft.kind for draft in drafts),
        "effective": _array(draft.effective_at.isoformat() for draft in drafts),
        "descriptions": _texts(draft.description for draft in drafts),
        "reference": _texts(draft.reference for draft in drafts),
        "related": _array(draft.related or "NULL" for draft in drafts),
        "details": _texts(_json(draft.details) for draft in drafts),
        "leaves": _array(journal.leaf.hex() for journal in journals),
        "hashes": _array(journal.hash.hex() for journal in journals),
    }


_ENTRY_COLUMNS: Final = (
    *("entry_sequences", "entry_effective", "legs", "transfers", "pending"),
    *("currencies", "accounts", "sides", "amounts", "seals"),
)


def _entry_columns(appended: Appended) -> dict[str, str]:
    rows: list[tuple[str, ...]] = []
    for journal, entries in zip(appended.journals, appended.entries, strict=True):
        sequence, time = journal.sequence, moment(journal.draft.effective_at)
        of = str(sequence)
        for (number, index, transfer, leg), entry in zip(journal.draft.legs(), entries, strict=True):
            seal, pending = seal_of(sequence, time, entry), "t" if transfer.pending else "f"
            place = (of, time, str(number), str(index), pending)
            rows.append((*place, transfer.currency, leg.account, leg.side, str(leg.amount), str(seal)))
    columns = zip(*rows, strict=True) if rows else ((),) * len(_ENTRY_COLUMNS)
    return {name: "{" + ",".join(column) + "}" for name, column in zip(_ENTRY_COLUMNS, columns, strict=True)}


def _day_columns(days: Mapping[Day, tuple[int, int]]) -> dict[str, str]:
    ordered = sorted(days)
    return {
        "day_accounts": _array(account for account, _ in ordered),
        "days": _array(day for _, day in ordered),
        "day_debits": _array(days[key][0] for key in ordered),
        "day_credits": _array(days[key][1] for key in ordered),
    }
