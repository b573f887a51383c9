"""Legs: what the rail asked for, once per transaction and leg; and holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.upi_core.contract import without_pin
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Leg:
    rail: str
    txn_id: str
    leg: str
    fingerprint: bytes
    state: str
    code: str | None
    posting_id: UUID | None
    request: bytes


_LOCK: Final = text("""
SELECT rail, txn_id, leg, fingerprint, state, code, posting_id, request FROM leg
WHERE rail = :rail AND txn_id = :txn_id AND leg = :leg FOR UPDATE
""")
_ADD: Final = text("""
INSERT INTO leg (rail, txn_id, leg, fingerprint, state, request, taken_at)
VALUES (:rail, :txn_id, :leg, :fingerprint, :state, :request, :now)
ON CONFLICT DO NOTHING RETURNING txn_id
""")
_END: Final = text("""
UPDATE leg SET state = :state, code = :code, posting_id = :posting_id, ended_at = :now,
    request = :request
WHERE rail = :rail AND txn_id = :txn_id AND leg = :leg
""")


async def lock(tx: Transaction, rail: str, txn_id: str, leg: str) -> Leg | None:
    row = (await tx.execute(_LOCK, {"rail": rail, "txn_id": txn_id, "leg": leg})).one_or_none()
    if row is None:
        return None
    return Leg(row[0], row[1], row[2], bytes(row[3]), row[4], row[5], row[6], bytes(row[7]))


async def add(tx: Transaction, leg: Leg, now: datetime) -> bool:
    """Whether it is the first of its key; who comes second waits for the first to end."""
    values = {"rail": leg.rail, "txn_id": leg.txn_id, "leg": leg.leg, "fingerprint": leg.fingerprint}
    more = {"state": leg.state, "request": leg.request, "now": now}
    return await tx.scalar(_ADD, {**values, **more}) is not None


async def end(
    tx: Transaction, leg: Leg, state: str, code: str | None, posting_id: UUID | None, now: datetime
) -> None:
    """Note how it ended. The encrypted PIN that came with it is kept no longer."""
    values = {"rail": leg.rail, "txn_id": leg.txn_id, "leg": leg.leg, "state": state, "code": code}
    await tx.execute(
        _END, {**values, "posting_id": posting_id, "now": now, "request": without_pin(leg.request)}
    )


@dataclass(frozen=True, slots=True)
class Hold:
    id: UUID
    account: str
    reference: str
    amount_minor: int
    state: str
    expires_at: datetime


_HOLD_COLUMNS: Final = "id, account, reference, amount_minor, state, expires_at"
_ADD_HOLD: Final = text("""
INSERT INTO hold (id, account, reference, amount_minor, state, expires_at, created_at)
VALUES (:id, :account, :reference, :minor, 'active', :expires_at, :now)
""")
_LOCK_HOLD: Final = text(f"SELECT {_HOLD_COLUMNS} FROM hold WHERE id = :id FOR UPDATE")  # noqa: S608
_SAME_HOLD: Final = text(
    f"SELECT {_HOLD_COLUMNS} FROM hold WHERE account = :account AND reference = :reference"  # noqa: S608
)
_END_HOLD: Final = text("UPDATE hold SET state = :state WHERE id = :id")


async def add_hold(tx: Transaction, hold: Hold, now: datetime) -> None:
    values = {"id": hold.id, "account": hold.account, "reference": hold.reference}
    more = {"minor": hold.amount_minor, "expires_at": hold.expires_at, "now": now}
    await tx.execute(_ADD_HOLD, {**values, **more})


async def hold_of(tx: Transaction, account: str, reference: str) -> Hold | None:
    row = (await tx.execute(_SAME_HOLD, {"account": account, "reference": reference})).one_or_none()
    return None if row is None else Hold(*row)


async def lock_hold(tx: Transaction, hold_id: UUID) -> Hold | None:
    row = (await tx.execute(_LOCK_HOLD, {"id": hold_id})).one_or_none()
    return None if row is None else Hold(*row)


async def end_hold(tx: Transaction, hold_id: UUID, state: str) -> None:
    await tx.execute(_END_HOLD, {"id": hold_id, "state": state})
