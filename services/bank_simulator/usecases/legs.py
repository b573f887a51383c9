"""Debit, credit and reversal: taken once per rail, transaction and leg, done as the profile has it, and answered."""

import hashlib
import json
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

from prometheus_client import Counter

from services.bank_simulator.domain import postings
from services.bank_simulator.domain.profile import Behaviour, behaviour
from services.bank_simulator.store import accounts, legs
from services.bank_simulator.store.accounts import Booking
from services.bank_simulator.store.legs import Leg
from services.bank_simulator.usecases import pins
from services.bank_simulator.usecases.bank import RAIL, Bank
from services.bank_simulator.usecases.problems import Refused
from services.upi_core.contract import SWITCH, Api, Code, Head, Ref, ReqPay, Resp, RespPay, path_of
from suuupra import failpoints, schedule
from suuupra.db import Transaction
from suuupra.ids import new_id

DO: Final = "leg"
REPLY: Final = "reply"
"""Kinds of scheduled work: a leg to be done after the bank's latency, an answer that comes late."""
ANSWERED_WITHIN: Final = timedelta(days=1)

ENDED = Counter("suuupra_bank_legs_total", "Legs that ended, by leg and code.", ["leg", "code"])


async def take(tx: Transaction, bank: Bank, request: ReqPay, body: bytes) -> None:
    """A leg is asked for. What was asked before is answered again; under the same key something else is U01 (M4)."""
    leg = Leg(
        RAIL, request.txn.id, request.txn.type.value, fingerprint(request), "accepted", None, None, body
    )
    if leg.leg not in ("DEBIT", "CREDIT", "REVERSAL"):
        raise Refused(Code.SYSTEM)
    if not await legs.add(tx, leg, bank.clock.now()):
        await _again(tx, bank, leg)
        return
    expected = behaviour(bank.profile, leg.txn_id, leg.leg)
    if expected.latency:
        due = bank.clock.now() + expected.latency
        await schedule.put(tx, DO, key_of(leg), due)
    else:
        await do(tx, bank, leg, request)


def fingerprint(request: ReqPay) -> bytes:
    """What makes two legs the same: who, where and how much; not the message's time, nor a PIN's ciphertext."""
    payer, payee = request.payer, request.payee
    asked = [
        *(
            request.txn.type,
            request.txn.org_txn_id,
            payer.vpa,
            payee.vpa,
            payer.amount.minor,
            payee.amount.minor,
        ),
        payer.account.model_dump() if payer.account else None,
        payee.account.model_dump() if payee.account else None,
    ]
    return hashlib.sha256(json.dumps(asked).encode()).digest()


def key_of(leg: Leg) -> str:
    """Of scheduled work."""
    return f"{leg.txn_id}:{leg.leg}"


async def _again(tx: Transaction, bank: Bank, leg: Leg) -> None:
    """Asked a second time. A reversal is always answered then, whatever the profile: its asker cannot do without."""
    before = await legs.lock(tx, leg.rail, leg.txn_id, leg.leg)
    if before is None or (before.state != "void" and before.fingerprint != leg.fingerprint):
        raise Refused(Code.DUPLICATE)
    expected = behaviour(bank.profile, leg.txn_id, leg.leg)
    if before.state == "dropped" and leg.leg == "REVERSAL":
        await do(tx, bank, before, ReqPay.model_validate_json(before.request), again=True)
    elif before.state == "void":
        await _answer(tx, bank, ReqPay.model_validate_json(leg.request), Code.DEBIT_FAILED, None)
    elif before.state in ("done", "refused") and (expected.reply == "now" or leg.leg == "REVERSAL"):
        code = Code(before.code or Code.SYSTEM.value)
        await _answer(tx, bank, ReqPay.model_validate_json(before.request), code, before.posting_id)


async def do_later(tx: Transaction, bank: Bank, key: str) -> None:
    """The bank's latency is over."""
    txn_id, _, name = key.partition(":")
    leg = await legs.lock(tx, RAIL, txn_id, name)
    if leg is not None and leg.state == "accepted":
        await do(tx, bank, leg, ReqPay.model_validate_json(leg.request))


async def reply_later(tx: Transaction, bank: Bank, key: str) -> None:
    """An answer that comes after its time."""
    txn_id, _, name = key.partition(":")
    leg = await legs.lock(tx, RAIL, txn_id, name)
    if leg is not None and leg.code is not None:
        request = ReqPay.model_validate_json(leg.request)
        await _answer(tx, bank, request, Code(leg.code), leg.posting_id)


async def do(tx: Transaction, bank: Bank, leg: Leg, request: ReqPay, *, again: bool = False) -> None:
    """Do the leg, and answer it, as the profile has it."""
    expected = behaviour(bank.profile, leg.txn_id, leg.leg)
    if again:
        expected = Behaviour(expected.latency, "do", "now")
    now = bank.clock.now()
    if expected.effect == "drop":
        await legs.end(tx, leg, "dropped", None, None, now)
        return
    code, posting = await _effect(tx, bank, leg, request, expected)
    done = code is Code.SUCCESS
    await legs.end(tx, leg, "done" if done else "refused", code.value, posting, now)
    ENDED.labels(leg.leg, code.value).inc()
    failpoints.hit(f"bank.{leg.leg}.booked")
    if expected.reply == "now":
        await _answer(tx, bank, request, code, posting)
    elif expected.reply == "late":
        await schedule.put(tx, REPLY, key_of(leg), now + timedelta(milliseconds=bank.profile.late_by))


async def _effect(
    tx: Transaction, bank: Bank, leg: Leg, request: ReqPay, expected: Behaviour
) -> tuple[Code, UUID | None]:
    if expected.effect == "refuse":
        return Code.PAYEE_BANK_DOWN if leg.leg == "CREDIT" else Code.PAYER_BANK_DOWN, None
    match leg.leg:
        case "DEBIT":
            return await _debit(tx, bank, request)
        case "CREDIT":
            return await _credit(tx, bank, request)
        case _:
            return await _reverse(tx, bank, request)


async def _debit(tx: Transaction, bank: Bank, request: ReqPay) -> tuple[Code, UUID | None]:
    minor, expires_at = request.payer.amount.minor, request.rules.expires_at
    if expires_at is not None and expires_at < bank.clock.now():
        return Code.DEBIT_TIMEOUT, None
    named = request.payer.account
    account = await accounts.lock(tx, named.number) if named and named.bank == bank.code else None
    if account is None:
        return Code.PAYER_ACCOUNT, None
    forbidden = await pins.forbids(tx, bank, account, request)
    if forbidden is not None:
        return forbidden, None
    if bank.profile.limit_minor is not None and minor > bank.profile.limit_minor:
        return Code.BANK_LIMIT, None
    if account.balance_minor - account.held_minor < minor:
        return Code.INSUFFICIENT, None
    booking = _booking(bank, request, "DEBIT", request.payee.name or request.payee.vpa)
    await accounts.book(tx, booking, postings.debit(account.number, minor))
    return Code.SUCCESS, booking.id


async def _credit(tx: Transaction, bank: Bank, request: ReqPay) -> tuple[Code, UUID | None]:
    named = request.payee.account
    account = await accounts.lock(tx, named.number) if named and named.bank == bank.code else None
    if account is None:
        return Code.PAYEE_ACCOUNT, None
    # A refund is no sale, and neither is what a person receives.
    fee = bank.profile.fee_permille if account.kind == "merchant" and not request.txn.org_txn_id else 0
    booking = _booking(bank, request, "CREDIT", request.payer.name or request.payer.vpa)
    movements = postings.credit(account.number, request.payee.amount.minor, fee)
    await accounts.book(tx, booking, movements)
    return Code.SUCCESS, booking.id


async def _reverse(tx: Transaction, bank: Bank, request: ReqPay) -> tuple[Code, UUID | None]:
    """Take the debit back. One that never came is kept from coming: then nothing has to go back."""
    taken = await legs.lock(tx, RAIL, request.txn.id, "DEBIT")
    if taken is None:
        void = Leg(RAIL, request.txn.id, "DEBIT", b"", "void", None, None, b"")
        if not await legs.add(tx, void, bank.clock.now()):
            taken = await legs.lock(tx, RAIL, request.txn.id, "DEBIT")
    if taken is None or taken.state in ("void", "refused"):
        return Code.SUCCESS, None
    if taken.state in ("accepted", "dropped"):
        await legs.end(tx, taken, "void", None, None, bank.clock.now())
        return Code.SUCCESS, None
    debited = ReqPay.model_validate_json(taken.request)
    if debited.payer.amount != request.payer.amount or debited.payer.account != request.payer.account:
        return Code.MISMATCH, None
    account = request.payer.account
    if account is None or await accounts.lock(tx, account.number) is None:
        return Code.PAYER_ACCOUNT, None
    booking = _booking(bank, request, "REVERSAL", request.payee.name or request.payee.vpa)
    movements = postings.reversal(account.number, request.payer.amount.minor)
    await accounts.book(tx, booking, movements)
    return Code.SUCCESS, booking.id


def _booking(bank: Bank, request: ReqPay, leg: str, counterparty: str) -> Booking:
    txn = request.txn
    return Booking(
        id=new_id(),
        rail=RAIL,
        txn_id=txn.id,
        leg=leg,
        rrn=txn.cust_ref,
        ref_id=txn.ref_id,
        counterparty=counterparty,
        note=txn.note,
        at=bank.clock.now(),
    )


async def _answer(tx: Transaction, bank: Bank, request: ReqPay, code: Code, posting: UUID | None) -> None:
    """RespPay, under one id however often it is sent."""
    answer_id = uuid5(request.head.msg_id, Api.RESP_PAY)
    if await bank.messenger.again(tx, answer_id):
        return
    now = bank.clock.now()
    credited = request.txn.type == "CREDIT"
    ref = Ref(
        type="PAYEE" if credited else "PAYER",
        vpa=request.payee.vpa if credited else request.payer.vpa,
        code=code,
        amount=request.payee.amount if credited else request.payer.amount,
        approval=posting.hex if posting else None,
    )
    result = "SUCCESS" if code is Code.SUCCESS else "FAILURE"
    message = RespPay(
        head=Head(ts=now, org_id=bank.code, msg_id=answer_id),
        txn=request.txn,
        resp=Resp.model_validate(
            {"req_msg_id": request.head.msg_id, "result": result, "code": code, "refs": [ref]}
        ),
    )
    body = message.model_dump_json(exclude_none=True).encode()
    until = now + ANSWERED_WITHIN
    await bank.messenger.post(tx, answer_id, SWITCH, path_of(Api.RESP_PAY), body, expires_at=until)
