"""Transactions, their legs, their timeline and their disputes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.upi_core.domain.codes import Code
from services.upi_core.domain.payment import LegName, Payment, State
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Side:
    """Who pays or is paid, and where the money is."""

    vpa: str
    name: str
    bank: str
    number: str


@dataclass(frozen=True, slots=True)
class Txn:
    """A transaction. `payment` is what decisions are made about."""

    id: str
    type: str
    payment: Payment
    rrn: str
    amount_minor: int
    note: str
    ref_id: str | None
    mode: str
    org_txn_id: str | None
    initiator: str
    request_id: UUID
    fingerprint: bytes
    payer: Side
    payee: Side
    payee_type: str
    payee_mcc: str
    payee_psp: str
    credential: str | None
    told: str | None
    counted_in: str | None
    counted_on: date | None
    expires_at: datetime
    created_at: datetime
    authorised_at: datetime | None = None
    """When the payer approved a collect request."""

    @property
    def began_at(self) -> datetime:
        """From when on the limits of the rulebook count."""
        return self.authorised_at or self.created_at


@dataclass(frozen=True, slots=True)
class LegRow:
    leg: str
    bank: str
    message_id: UUID
    sent_at: datetime
    answered_at: datetime | None
    code: str | None
    approval: str | None


_COLUMNS: Final = (
    "id, type, state, code, rrn, amount_minor, note, ref_id, mode, org_txn_id, initiator, request_id, fingerprint,"
    " payer_vpa, payer_name, payer_bank, payer_number, payee_vpa, payee_name, payee_bank, payee_number,"
    " payee_type, payee_mcc, payee_psp, credential, checks, reversals, late_credit, told, counted_in, counted_on,"
    " expires_at, created_at, authorised_at"
)
# The statements below are made of columns of our own.
_FIND: Final = text(f"SELECT {_COLUMNS} FROM txn WHERE id = :id")  # noqa: S608
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM txn WHERE id = :id FOR UPDATE")  # noqa: S608
_BY_REF: Final = text(f"SELECT {_COLUMNS} FROM txn WHERE ref_id = :ref_id ORDER BY created_at LIMIT 100")  # noqa: S608
_REFUNDS: Final = text(f"SELECT {_COLUMNS} FROM txn WHERE org_txn_id = :id ORDER BY created_at LIMIT 100")  # noqa: S608
_RRN: Final = text("SELECT nextval('rrn_number')")
_ADD: Final = text("""
INSERT INTO txn (id, type, state, code, rrn, amount_minor, note, ref_id, mode, org_txn_id, initiator, request_id,
    fingerprint, payer_vpa, payer_name, payer_bank, payer_number, payee_vpa, payee_name, payee_bank, payee_number,
    payee_type, payee_mcc, payee_psp, credential, counted_in, counted_on, expires_at, created_at, updated_at)
VALUES (:id, :type, :state, :code, :rrn, :amount_minor, :note, :ref_id, :mode, :org_txn_id, :initiator, :request_id,
    :fingerprint, :payer_vpa, :payer_name, :payer_bank, :payer_number, :payee_vpa, :payee_name, :payee_bank, :payee_number,
    :payee_type, :payee_mcc, :payee_psp, :credential, :counted_in, :counted_on, :expires_at, :created_at, :created_at)
ON CONFLICT (id) DO NOTHING RETURNING id
""")
_SAVE: Final = text("""
WITH saved AS (
    UPDATE txn SET state = CAST(:state AS text), code = CAST(:code AS text), checks = :checks, reversals = :reversals,
        late_credit = :late_credit, updated_at = :now,
        credential = CASE WHEN CAST(:state AS text) = 'initiated' THEN credential END
    WHERE id = :id)
INSERT INTO txn_event (txn_id, at, note, state, code, detail)
VALUES (:id, :now, :note, CAST(:state AS text), CAST(:code AS text), CAST(:detail AS jsonb))
""")
_TOLD: Final = text("UPDATE txn SET told = :told WHERE id = :id")
_ENDED: Final = text("SELECT id FROM txn WHERE id = ANY(CAST(:ids AS text[])) AND told IS NOT NULL")
_APPROVED: Final = text("""
UPDATE txn SET credential = :credential, authorised_at = :now, expires_at = :expires_at WHERE id = :id
""")
_ACCOUNT: Final = text("UPDATE txn SET payee_bank = :bank, payee_number = :number WHERE id = :id")
_EVENT: Final = text("""
INSERT INTO txn_event (txn_id, at, note, state, code, detail)
VALUES (:txn_id, :at, :note, :state, :code, CAST(:detail AS jsonb))
""")
_EVENTS: Final = text(
    "SELECT at, note, state, code, detail FROM txn_event WHERE txn_id = :id ORDER BY id LIMIT 500"
)
_LEG: Final = text("""
INSERT INTO leg (txn_id, leg, bank, message_id, sent_at) VALUES (:txn_id, :leg, :bank, :message_id, :now)
""")
_ANSWERED: Final = text("""
UPDATE leg SET answered_at = :now, code = :code, approval = :approval
WHERE txn_id = :txn_id AND leg = :leg AND answered_at IS NULL
""")
_LEGS: Final = text(
    "SELECT leg, bank, message_id, sent_at, answered_at, code, approval FROM leg WHERE txn_id = :id ORDER BY sent_at"
)
_TAKE_REFUND: Final = text("""
UPDATE txn SET refunded_minor = refunded_minor + :minor
WHERE id = :id AND refunded_minor + :minor <= amount_minor RETURNING refunded_minor
""")
_GIVE_REFUND: Final = text("UPDATE txn SET refunded_minor = refunded_minor - :minor WHERE id = :id")
_SPEND: Final = text("""
INSERT INTO spending (bank, number, day, name, minor, count) VALUES (:bank, :number, :day, :name, 0, 0)
ON CONFLICT (bank, number, day, name) DO UPDATE SET count = spending.count RETURNING minor, count
""")
_SPENT: Final = text("""
UPDATE spending SET minor = minor + :minor, count = count + :count
WHERE bank = :bank AND number = :number AND day = :day AND name = :name
""")
_COUNT_IN: Final = text("UPDATE txn SET counted_in = :name, counted_on = :day WHERE id = :id")
_UNCOUNT: Final = text(
    "UPDATE txn SET counted_in = NULL WHERE id = :id AND counted_in IS NOT NULL RETURNING id"
)
_NET_LOCKS: Final = 0x5550_0001
"""First key of the advisory locks that let the payments of one bank be judged one after the other."""
_NET_LOCK: Final = text("SELECT pg_advisory_xact_lock(:locks, hashtext(CAST(:bank AS text)))")
_NET: Final = text("""
SELECT coalesce(sum(CASE WHEN payer_bank = :bank THEN -amount_minor ELSE 0 END)
    + sum(CASE WHEN payee_bank = :bank THEN amount_minor ELSE 0 END), 0)
FROM txn WHERE created_at >= :since AND (payer_bank = :bank OR payee_bank = :bank)
    AND state NOT IN ('failed', 'expired', 'reversed')
""")


def _value(code: Code | None) -> str | None:
    return None if code is None else code.value


def _txn(row: Any) -> Txn:
    payment = Payment(
        State(row.state), Code(row.code) if row.code else None, row.checks, row.reversals, row.late_credit
    )
    return Txn(
        id=row.id,
        type=row.type,
        payment=payment,
        rrn=row.rrn,
        amount_minor=row.amount_minor,
        note=row.note,
        ref_id=row.ref_id,
        mode=row.mode,
        org_txn_id=row.org_txn_id,
        initiator=row.initiator,
        request_id=row.request_id,
        fingerprint=bytes(row.fingerprint),
        payer=Side(row.payer_vpa, row.payer_name, row.payer_bank, row.payer_number),
        payee=Side(row.payee_vpa, row.payee_name, row.payee_bank, row.payee_number),
        payee_type=row.payee_type,
        payee_mcc=row.payee_mcc,
        payee_psp=row.payee_psp,
        credential=row.credential,
        told=row.told,
        counted_in=row.counted_in,
        counted_on=row.counted_on,
        expires_at=row.expires_at,
        created_at=row.created_at,
        authorised_at=row.authorised_at,
    )


async def find(tx: Transaction, txn_id: str) -> Txn | None:
    row = (await tx.execute(_FIND, {"id": txn_id})).one_or_none()
    return None if row is None else _txn(row)


async def lock(tx: Transaction, txn_id: str) -> Txn | None:
    """The transaction, to be changed."""
    row = (await tx.execute(_LOCK, {"id": txn_id})).one_or_none()
    return None if row is None else _txn(row)


async def of_reference(tx: Transaction, ref_id: str) -> Sequence[Txn]:
    """What was tried under a merchant's reference."""
    return [_txn(row) for row in await tx.execute(_BY_REF, {"ref_id": ref_id})]


async def refunds_of(tx: Transaction, txn_id: str) -> Sequence[Txn]:
    return [_txn(row) for row in await tx.execute(_REFUNDS, {"id": txn_id})]


async def next_number(tx: Transaction) -> int:
    """A number for the RRN."""
    return int(await tx.scalar(_RRN) or 0)


async def add(tx: Transaction, txn: Txn) -> bool:
    """Whether it is new; False when there is one of that id."""
    values = {
        "payer_vpa": txn.payer.vpa,
        "payer_name": txn.payer.name,
        "payer_bank": txn.payer.bank,
        "payer_number": txn.payer.number,
        "payee_vpa": txn.payee.vpa,
        "payee_name": txn.payee.name,
        "payee_bank": txn.payee.bank,
        "payee_number": txn.payee.number,
        "state": txn.payment.state.value,
        "code": _value(txn.payment.code),
    }
    plain = (
        *(
            "id",
            "type",
            "rrn",
            "amount_minor",
            "note",
            "ref_id",
            "mode",
            "org_txn_id",
            "initiator",
            "request_id",
        ),
        *("fingerprint", "payee_type", "payee_mcc", "payee_psp", "credential", "counted_in", "counted_on"),
        *("expires_at", "created_at"),
    )
    values |= {name: getattr(txn, name) for name in plain}
    return await tx.scalar(_ADD, values) is not None


async def save(
    tx: Transaction, txn_id: str, payment: Payment, now: datetime, note: str, detail: Mapping[str, Any]
) -> None:
    """Keep what was decided, with its line of the timeline. An encrypted PIN stays until the debit's message has it."""
    values = {"state": payment.state.value, "code": _value(payment.code), "checks": payment.checks}
    more = {"reversals": payment.reversals, "late_credit": payment.late_credit, "note": note}
    await tx.execute(_SAVE, {**values, **more, "id": txn_id, "now": now, "detail": json.dumps(detail)})


async def ended(tx: Transaction, ids: Sequence[str]) -> Sequence[str]:
    """Those of them whose first result was told."""
    return (await tx.scalars(_ENDED, {"ids": list(ids)})).all()


async def told(tx: Transaction, txn_id: str, result: str) -> None:
    await tx.execute(_TOLD, {"id": txn_id, "told": result})


async def approved(
    tx: Transaction, txn_id: str, credential: str, now: datetime, expires_at: datetime
) -> None:
    """The payer of a collect request pays it, from now on and until then."""
    values = {"id": txn_id, "credential": credential, "now": now, "expires_at": expires_at}
    await tx.execute(_APPROVED, values)


async def give_account(tx: Transaction, txn_id: str, bank: str, number: str) -> None:
    """Where the payee's PSP wants the money."""
    await tx.execute(_ACCOUNT, {"id": txn_id, "bank": bank, "number": number})


async def add_event(
    tx: Transaction, txn_id: str, at: datetime, note: str, payment: Payment, detail: Mapping[str, Any]
) -> None:
    """One line of the timeline."""
    values = {"txn_id": txn_id, "at": at, "note": note, "state": payment.state.value}
    await tx.execute(_EVENT, {**values, "code": _value(payment.code), "detail": json.dumps(detail)})


async def events(tx: Transaction, txn_id: str) -> Sequence[Any]:
    """The timeline: at, note, state, code, detail."""
    return (await tx.execute(_EVENTS, {"id": txn_id})).all()


async def add_leg(
    tx: Transaction, txn_id: str, leg: LegName, bank: str, message_id: UUID, now: datetime
) -> None:
    values = {"txn_id": txn_id, "leg": leg, "bank": bank, "message_id": message_id, "now": now}
    await tx.execute(_LEG, values)


async def leg_answered(
    tx: Transaction, txn_id: str, leg: LegName, code: str, approval: str | None, now: datetime
) -> None:
    """The first answer is kept."""
    values = {"txn_id": txn_id, "leg": leg, "code": code, "approval": approval, "now": now}
    await tx.execute(_ANSWERED, values)


async def legs(tx: Transaction, txn_id: str) -> Mapping[str, LegRow]:
    return {row.leg: LegRow(*row) for row in await tx.execute(_LEGS, {"id": txn_id})}


async def take_refund(tx: Transaction, txn_id: str, minor: int) -> bool:
    """Whether that much of the payment is left to be refunded; then it is taken (M5)."""
    return await tx.scalar(_TAKE_REFUND, {"id": txn_id, "minor": minor}) is not None


async def give_refund(tx: Transaction, txn_id: str, minor: int) -> None:
    """A refund came to nothing."""
    await tx.execute(_GIVE_REFUND, {"id": txn_id, "minor": minor})


async def lock_spending(tx: Transaction, payer: Side, day: date, name: str) -> tuple[int, int]:
    """Paise and number of what the account paid on the day; others wait until `tx` ends."""
    values = {"bank": payer.bank, "number": payer.number, "day": day, "name": name}
    row = (await tx.execute(_SPEND, values)).one()
    return int(row[0]), int(row[1])


async def spend(tx: Transaction, payer: Side, day: date, name: str, minor: int, count: int) -> None:
    values = {"bank": payer.bank, "number": payer.number, "day": day, "name": name}
    await tx.execute(_SPENT, {**values, "minor": minor, "count": count})


async def count_in(tx: Transaction, txn_id: str, name: str | None, day: date | None) -> None:
    """The transaction counts in the limit of that name on that day."""
    await tx.execute(_COUNT_IN, {"id": txn_id, "name": name, "day": day})


async def uncount(tx: Transaction, txn_id: str) -> bool:
    """Whether the transaction counted in a limit; now it does not."""
    return await tx.scalar(_UNCOUNT, {"id": txn_id}) is not None


async def net_position(tx: Transaction, bank: str, since: datetime) -> int:
    """What a bank received minus what it paid since then, in paise; what is under way included.

    Others who ask about the bank wait until `tx` ends, so that each sees what the one before it added.
    """
    await tx.execute(_NET_LOCK, {"locks": _NET_LOCKS, "bank": bank})
    return int(await tx.scalar(_NET, {"bank": bank, "since": since}) or 0)
