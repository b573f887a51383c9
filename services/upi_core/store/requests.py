"""What the payer's app has been asked to pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    id: UUID
    txn_id: str
    payer_vpa: str
    payee_vpa: str
    payee_name: str
    payee_mcc: str
    verified: bool
    amount_minor: int
    note: str
    ref_id: str | None
    mode: str
    origin: str
    state: str
    expires_at: datetime
    created_at: datetime


_COLUMNS: Final = (
    "id, txn_id, payer_vpa, payee_vpa, payee_name, payee_mcc, verified, amount_minor, note, ref_id, mode, origin, state,"
    " expires_at, created_at"
)
_ADD: Final = text(f"""
INSERT INTO payment_request ({_COLUMNS}) VALUES (:id, :txn_id, :payer_vpa, :payee_vpa, :payee_name, :payee_mcc,
    :verified, :amount_minor, :note, :ref_id, :mode, :origin, :state, :expires_at, :created_at)
""")  # noqa: S608 - columns of our own
_SAME: Final = text(f"""
SELECT {_COLUMNS} FROM payment_request
WHERE payer_vpa = :payer_vpa AND payee_vpa = :payee_vpa AND ref_id = :ref_id AND amount_minor = :minor
    AND state = 'pending' ORDER BY created_at DESC LIMIT 1
""")  # noqa: S608
_FIND: Final = text(f"SELECT {_COLUMNS} FROM payment_request WHERE id = :id")  # noqa: S608
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM payment_request WHERE id = :id FOR UPDATE")  # noqa: S608
_OF: Final = text(f"""
SELECT {_COLUMNS} FROM payment_request WHERE payer_vpa = :vpa ORDER BY created_at DESC, id DESC LIMIT :limit
""")  # noqa: S608
_STATE: Final = text("UPDATE payment_request SET state = :state WHERE id = :id")
_OF_TXN: Final = text(
    "UPDATE payment_request SET state = :state WHERE txn_id = :txn_id AND state = 'pending'"
)


def _request(row: Any) -> PaymentRequest:
    return PaymentRequest(*row)


async def add(tx: Transaction, request: PaymentRequest) -> None:
    values = {name: getattr(request, name) for name in PaymentRequest.__slots__}
    await tx.execute(_ADD, values)


async def same(
    tx: Transaction, payer_vpa: str, payee_vpa: str, ref_id: str, minor: int
) -> PaymentRequest | None:
    """The pending request that a link opened before, so that a reload does not make another."""
    values = {"payer_vpa": payer_vpa, "payee_vpa": payee_vpa, "ref_id": ref_id, "minor": minor}
    row = (await tx.execute(_SAME, values)).one_or_none()
    return None if row is None else _request(row)


async def find(tx: Transaction, request_id: UUID) -> PaymentRequest | None:
    row = (await tx.execute(_FIND, {"id": request_id})).one_or_none()
    return None if row is None else _request(row)


async def lock(tx: Transaction, request_id: UUID) -> PaymentRequest | None:
    row = (await tx.execute(_LOCK, {"id": request_id})).one_or_none()
    return None if row is None else _request(row)


async def of_payer(tx: Transaction, vpa: str, limit: int = 20) -> Sequence[PaymentRequest]:
    return [_request(row) for row in await tx.execute(_OF, {"vpa": vpa, "limit": limit})]


async def set_state(tx: Transaction, request_id: UUID, state: str) -> None:
    await tx.execute(_STATE, {"id": request_id, "state": state})


async def ended(tx: Transaction, txn_id: str, state: str) -> None:
    """The request of a transaction is pending no more."""
    await tx.execute(_OF_TXN, {"txn_id": txn_id, "state": state})
