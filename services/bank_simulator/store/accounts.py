"""Accounts, and the bookings that change them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.bank_simulator.domain.postings import CAPITAL, FEES, INTERNAL, SETTLEMENT, Movement
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Account:
    number: str
    name: str
    kind: str
    vpa: str | None
    balance_minor: int
    held_minor: int
    pin_hash: str | None
    pin_failures: int
    pin_blocked_until: datetime | None
    demo: bool
    opened_at: datetime

    def __repr__(self) -> str:
        return f"Account({self.number})"


@dataclass(frozen=True, slots=True)
class Booking:
    """A posting's own fields."""

    id: UUID
    rail: str
    txn_id: str
    leg: str
    rrn: str | None
    ref_id: str | None
    counterparty: str | None
    note: str
    at: datetime


_COLUMNS: Final = "number, name, kind, vpa, balance_minor, held_minor, pin_hash, pin_failures, pin_blocked_until, demo, opened_at"
# The statements below are made of columns of our own.
_FIND: Final = text(f"SELECT {_COLUMNS} FROM account WHERE number = :number")  # noqa: S608
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM account WHERE number = :number FOR UPDATE")  # noqa: S608
_BY_VPA: Final = text(f"SELECT {_COLUMNS} FROM account WHERE vpa = :vpa")  # noqa: S608
_ALL: Final = text(f"SELECT {_COLUMNS} FROM account ORDER BY number LIMIT 1000")  # noqa: S608
_ADD: Final = text("""
INSERT INTO account (number, name, kind, vpa, pin_hash, demo, opened_at)
VALUES (:number, :name, :kind, :vpa, :pin_hash, :demo, :now)
ON CONFLICT (number) DO NOTHING RETURNING number
""")
_PIN: Final = text("""
UPDATE account SET pin_failures = :failures, pin_blocked_until = :blocked_until WHERE number = :number
""")
_POSTING: Final = text("""
INSERT INTO posting (id, rail, txn_id, leg, rrn, ref_id, counterparty, note, at)
VALUES (:id, :rail, :txn_id, :leg, :rrn, :ref_id, :counterparty, :note, :at)
""")
_MOVE: Final = text("""
UPDATE account SET balance_minor = balance_minor + :minor WHERE number = :account RETURNING balance_minor
""")
_ENTRY: Final = text("""
INSERT INTO entry (posting_id, account, amount_minor, balance_minor, at)
VALUES (:posting_id, :account, :minor, :balance, :at)
""")
_HOLD: Final = text("UPDATE account SET held_minor = held_minor + :minor WHERE number = :number")
_SUM_BEFORE: Final = text(
    "SELECT coalesce(sum(amount_minor), 0) FROM entry WHERE account = :account AND at < :before"
)
_ENTRIES: Final = text("""
SELECT e.id, e.at, e.amount_minor, e.balance_minor, p.leg, p.rail, p.txn_id, p.rrn, p.ref_id, p.counterparty, p.note
FROM entry e JOIN posting p ON p.id = e.posting_id
WHERE e.account = :account AND e.at >= :begin AND e.at < :end AND e.id > :after ORDER BY e.id LIMIT :limit
""")
_BOOKS: Final = text("""
SELECT coalesce(sum(amount_minor), 0)::bigint AS difference,
    coalesce(sum(amount_minor) FILTER (WHERE account = :settlement), 0)::bigint AS settlement,
    coalesce(sum(amount_minor) FILTER (WHERE account = :fees), 0)::bigint AS fees,
    coalesce(sum(amount_minor) FILTER (WHERE account = :capital), 0)::bigint AS capital,
    count(*) AS entries
FROM entry
""")
_UNFOLDED: Final = text("""
SELECT a.number FROM account a LEFT JOIN (SELECT account, sum(amount_minor) AS minor FROM entry GROUP BY account) e
    ON e.account = a.number
WHERE a.balance_minor <> coalesce(e.minor, 0) ORDER BY a.number LIMIT 100
""")
_TOTALS: Final = text(
    "SELECT coalesce(sum(balance_minor), 0)::bigint, coalesce(sum(held_minor), 0)::bigint FROM account"
)


async def find(tx: Transaction, number: str) -> Account | None:
    row = (await tx.execute(_FIND, {"number": number})).one_or_none()
    return None if row is None else Account(*row)


async def lock(tx: Transaction, number: str) -> Account | None:
    """The account; others who want to change it wait until `tx` ends."""
    row = (await tx.execute(_LOCK, {"number": number})).one_or_none()
    return None if row is None else Account(*row)


async def by_vpa(tx: Transaction, vpa: str) -> Account | None:
    row = (await tx.execute(_BY_VPA, {"vpa": vpa})).one_or_none()
    return None if row is None else Account(*row)


async def everyone(tx: Transaction) -> Sequence[Account]:
    """Up to a thousand accounts, by number."""
    return [Account(*row) for row in await tx.execute(_ALL)]


async def add(
    tx: Transaction,
    *,
    number: str,
    name: str,
    kind: str,
    vpa: str | None,
    pin_hash: str | None,
    demo: bool,
    now: datetime,
) -> bool:
    """Whether it is new."""
    values = {"number": number, "name": name, "kind": kind, "vpa": vpa, "pin_hash": pin_hash}
    return await tx.scalar(_ADD, {**values, "demo": demo, "now": now}) is not None


async def note_pin(tx: Transaction, number: str, failures: int, blocked_until: datetime | None) -> None:
    """How many wrong PINs came in a row, and until when no more are looked at."""
    await tx.execute(_PIN, {"number": number, "failures": failures, "blocked_until": blocked_until})


async def hold(tx: Transaction, number: str, minor: int) -> None:
    """Set aside that much more (or, below zero, less)."""
    await tx.execute(_HOLD, {"number": number, "minor": minor})


async def book(tx: Transaction, booking: Booking, movements: Sequence[Movement]) -> None:
    """Move money. The database refuses what does not add up, and a balance below what is held."""
    values = {name: getattr(booking, name) for name in Booking.__slots__}
    await tx.execute(_POSTING, values)
    for movement in movements:
        balance = None
        if movement.account not in INTERNAL:
            balance = await tx.scalar(_MOVE, {"account": movement.account, "minor": movement.minor})
        entry = {"posting_id": booking.id, "account": movement.account, "minor": movement.minor}
        await tx.execute(_ENTRY, {**entry, "balance": balance, "at": booking.at})


async def sum_before(tx: Transaction, account: str, before: datetime) -> int:
    """The balance that all entries before that time make."""
    return int(await tx.scalar(_SUM_BEFORE, {"account": account, "before": before}) or 0)


async def entries(
    tx: Transaction, account: str, begin: datetime, end: datetime, *, after: int, limit: int
) -> Sequence[Any]:
    """Of the entries in that time, as many as `limit` that follow the one with the id `after`, in order."""
    values = {"account": account, "begin": begin, "end": end, "after": after, "limit": limit}
    return (await tx.execute(_ENTRIES, values)).all()


@dataclass(frozen=True, slots=True)
class Sums:
    customers: int
    held: int
    settlement: int
    fees: int
    capital: int
    difference: int
    entries: int
    unfolded: list[str]


async def sums(tx: Transaction) -> Sums:
    """The books, from every entry there is."""
    names = {"settlement": SETTLEMENT, "fees": FEES, "capital": CAPITAL}
    row = (await tx.execute(_BOOKS, names)).one()
    customers, held = (await tx.execute(_TOTALS)).one()
    unfolded = [found[0] for found in await tx.execute(_UNFOLDED)]
    return Sums(customers, held, row.settlement, row.fees, row.capital, row.difference, row.entries, unfolded)
