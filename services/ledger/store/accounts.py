"""Accounts with their balances, as they stand and as they stood."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import text
from sqlmodel import col, select

from services.ledger.domain.accounts import Account, AccountKind, State, Totals
from services.ledger.domain.book import Book
from services.ledger.domain.journals import Side
from services.ledger.store.tables import AccountRow
from suuupra.db import Transaction


async def book_of(tx: Transaction, codes: Collection[str]) -> Book:
    """The accounts with these codes that there are, and their balances."""
    rows = (await tx.execute(_LOAD, {"codes": list(codes)})).all()
    return Book({row.code: account_of(row) for row in rows}, {row.code: totals_of(row) for row in rows})


_COLUMNS: Final = "code, name, kind, currency, side, minimum, maximum, state, version, debits, credits, pending_debits, pending_credits"
_LOAD: Final = text(f"SELECT {_COLUMNS} FROM account WHERE code = ANY(:codes)")  # noqa: S608 - a constant


async def find(tx: Transaction, code: str) -> tuple[Account, Totals] | None:
    """An account with its balance."""
    row = await tx.get(AccountRow, code)
    return None if row is None else (account_of(row), totals_of(row))


async def listed(
    tx: Transaction, *, kind: str | None, currency: str | None, after: str | None, limit: int
) -> Sequence[tuple[Account, Totals]]:
    """Accounts by code."""
    query = select(AccountRow).order_by(col(AccountRow.code)).limit(limit)
    if kind is not None:
        query = query.where(AccountRow.kind == kind)
    if currency is not None:
        query = query.where(AccountRow.currency == currency)
    if after is not None:
        query = query.where(AccountRow.code > after)
    return [(account_of(row), totals_of(row)) for row in (await tx.exec(query)).all()]


async def everything(tx: Transaction) -> Book:
    """All accounts."""
    rows = (await tx.execute(text(f"SELECT {_COLUMNS} FROM account ORDER BY code"))).all()  # noqa: S608
    return Book({row.code: account_of(row) for row in rows}, {row.code: totals_of(row) for row in rows})


def account_of(row: Any) -> Account:
    """The account of a row."""
    return Account(
        row.code,
        row.name,
        cast("AccountKind", row.kind),
        row.currency,
        cast("Side", row.side),
        row.minimum,
        row.maximum,
        cast("State", row.state),
        row.version,
    )


def totals_of(row: Any) -> Totals:
    """The balance of a row."""
    return Totals(row.debits, row.credits, row.pending_debits, row.pending_credits)


@dataclass(frozen=True, slots=True)
class Posted:
    """What an account was debited and credited up to some point."""

    account: str
    currency: str
    side: Side
    debits: int
    credits: int


# Whole days from their sums, the last day from its entries; and what was posted since the journal asked for, taken off.
_AS_OF: Final = """
SELECT a.code, a.currency, a.side,
    CAST(coalesce(d.debits, 0) + coalesce(e.debits, 0) - coalesce(s.debits, 0) AS bigint) AS debits,
    CAST(coalesce(d.credits, 0) + coalesce(e.credits, 0) - coalesce(s.credits, 0) AS bigint) AS credits
FROM account a
LEFT JOIN LATERAL (
    SELECT sum(debits) AS debits, sum(credits) AS credits FROM balance_day
    WHERE account = a.code AND (CAST(:day AS date) IS NULL OR day < CAST(:day AS date))) d ON true
LEFT JOIN LATERAL (
    SELECT sum(amount) FILTER (WHERE side = 'debit') AS debits, sum(amount) FILTER (WHERE side = 'credit') AS credits
    FROM entry WHERE account = a.code AND NOT pending
        AND effective_at >= CAST(:day AS timestamptz) AND effective_at < CAST(:before AS timestamptz)) e ON true
LEFT JOIN (
    SELECT account, sum(amount) FILTER (WHERE side = 'debit') AS debits,
        sum(amount) FILTER (WHERE side = 'credit') AS credits
    FROM entry WHERE sequence > :up_to AND NOT pending
        AND (CAST(:before AS timestamptz) IS NULL OR effective_at < CAST(:before AS timestamptz))
    GROUP BY account) s ON s.account = a.code
WHERE {which} ORDER BY a.currency, a.code
"""
_AS_OF_ONE: Final = text(_AS_OF.format(which="a.code = :code"))
_AS_OF_CURRENCY: Final = text(_AS_OF.format(which="a.currency = :currency"))
_AS_OF_ALL: Final = text(_AS_OF.format(which="true"))


async def as_of(
    tx: Transaction,
    *,
    before: datetime | None,
    up_to: int,
    code: str | None = None,
    currency: str | None = None,
) -> Sequence[Posted]:
    """Posted debits and credits of effective times before `before` (all when None), of journals up to `up_to`."""
    day: date | None = None if before is None else before.date()
    values: dict[str, Any] = {"day": day, "before": before, "up_to": up_to}
    if code is not None:
        rows = (await tx.execute(_AS_OF_ONE, {**values, "code": code})).all()
    elif currency is not None:
        rows = (await tx.execute(_AS_OF_CURRENCY, {**values, "currency": currency})).all()
    else:
        rows = (await tx.execute(_AS_OF_ALL, values)).all()
    return [Posted(row.code, row.currency, cast("Side", row.side), row.debits, row.credits) for row in rows]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in a statement."""

    sequence: int
    leg: int
    journal_id: Any
    effective_at: datetime
    description: str
    reference: str | None
    side: Side
    amount: int


_LINES: Final = text("""
SELECT e.sequence, e.leg, j.id, e.effective_at, j.description, j.reference, e.side, e.amount
FROM entry e JOIN journal j ON j.sequence = e.sequence
WHERE e.account = :code AND NOT e.pending AND e.sequence <= :up_to
    AND e.effective_at >= :begin AND e.effective_at < :end
    AND (CAST(:after_time AS timestamptz) IS NULL
        OR (e.effective_at, e.sequence, e.leg) > (CAST(:after_time AS timestamptz), :after_sequence, :after_leg))
ORDER BY e.effective_at, e.sequence, e.leg
LIMIT :limit
""")

_SINCE: Final = text("""
SELECT CAST(coalesce(sum(amount) FILTER (WHERE side = 'debit'), 0) AS bigint),
    CAST(coalesce(sum(amount) FILTER (WHERE side = 'credit'), 0) AS bigint)
FROM entry
WHERE account = :code AND NOT pending AND sequence <= :up_to AND effective_at = CAST(:time AS timestamptz)
    AND (sequence, leg) <= (:sequence, :leg)
""")


async def lines(
    tx: Transaction,
    code: str,
    begin: datetime,
    end: datetime,
    *,
    up_to: int,
    after: tuple[datetime, int, int] | None,
    limit: int,
) -> Sequence[Line]:
    """Posted entries of an account by effective time, after the one with that time, sequence and leg."""
    time, sequence, leg = after or (None, 0, 0)
    # A later page begins where the one before it ended, not at the beginning again.
    values = {"code": code, "begin": max(begin, time or begin), "end": end, "up_to": up_to, "limit": limit}
    place = {"after_time": time, "after_sequence": sequence, "after_leg": leg}
    return [Line(*row) for row in (await tx.execute(_LINES, {**values, **place})).all()]


async def at_the_time_of(
    tx: Transaction, code: str, time: datetime, sequence: int, leg: int, *, up_to: int
) -> tuple[int, int]:
    """Debits and credits of entries with exactly that effective time, up to an entry and with it."""
    values = {"code": code, "time": time, "sequence": sequence, "leg": leg, "up_to": up_to}
    debits, credits_ = (await tx.execute(_SINCE, values)).one()
    return debits, credits_
