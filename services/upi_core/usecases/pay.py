"""Beginning a transaction: a payment, a collect request, a refund. What is refused here never reaches a bank."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.upi_core.contract import Api, Code, ReqPay, TxnType
from services.upi_core.domain import rulebook, writing
from services.upi_core.domain.payment import Authorised, AuthRefused, Payment, State
from services.upi_core.store import participants, transactions
from services.upi_core.store.participants import Entry
from services.upi_core.store.transactions import Side, Txn
from services.upi_core.usecases import steps
from services.upi_core.usecases.problems import Refused
from services.upi_core.usecases.rail import PHONE, Rail
from suuupra.db import Transaction

AUTH: Final = "auth"


async def begin(
    tx: Transaction, rail: Rail, sender: str, request: ReqPay, *, declined: bool = False
) -> Txn | None:
    """The transaction that a ReqPay begins; None when it was answered without one.

    The same id with the same content is the same transaction. With other content it is refused (M4).
    """
    found = await transactions.lock(tx, request.txn.id)
    if found is not None:
        return await _repeated(tx, rail, found, sender, request)
    if request.payer.amount != request.payee.amount:
        return await _refuse(tx, rail, sender, request, Code.MISMATCH)
    match request.txn.type:
        case TxnType.PAY | TxnType.COLLECT:
            return await _pay(tx, rail, sender, request, declined)
        case TxnType.REFUND:
            return await _refund(tx, rail, sender, request)
        case _:
            raise Refused(Code.SYSTEM)


def fingerprint(request: ReqPay) -> bytes:
    """What makes two requests the same: everything that is asked, without the PIN, whose ciphertext always differs."""
    asked = [
        *(request.txn.type, request.txn.org_txn_id, request.txn.ref_id, request.txn.note),
        *(request.payer.vpa, request.payee.vpa, request.payer.amount.minor, request.payee.amount.minor),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).digest()


async def _repeated(tx: Transaction, rail: Rail, found: Txn, sender: str, request: ReqPay) -> Txn:
    if found.fingerprint != fingerprint(request) or found.initiator != sender:
        raise Refused(Code.DUPLICATE)
    await rail.messenger.again(tx, writing.answer_id(found.request_id, Api.RESP_PAY))
    return found


async def _refuse(tx: Transaction, rail: Rail, sender: str, request: ReqPay, code: Code) -> Txn | None:
    """Answer without a transaction. The phone takes no messages: what it sent without one is shown as not paid."""
    if sender == PHONE:
        return None
    refusal = writing.refusal(request, code, rail.clock.now())
    until = rail.clock.now() + steps.CONFIRMED_WITHIN
    await rail.post(tx, sender, Api.RESP_PAY, refusal, expires_at=until)
    return None


async def _pay(tx: Transaction, rail: Rail, sender: str, request: ReqPay, declined: bool) -> Txn | None:
    found = await participants.find_all(tx, [request.payer.vpa, request.payee.vpa])
    payer, payee = found.get(request.payer.vpa), found.get(request.payee.vpa)
    if payer is None or payee is None:
        unknown = request.payer.vpa if payer is None else request.payee.vpa
        return await _refuse(tx, rail, sender, request, _who(rail, unknown))
    txn = await _new(tx, rail, sender, request, payer, payee)
    code = Code.DECLINED if declined else await _forbidden(tx, rail, request, txn)
    if code is None and request.txn.type is TxnType.PAY:
        txn = await _count(tx, rail, txn)
    if not await transactions.add(tx, txn):
        raise Refused(Code.DUPLICATE)  # another process was faster; its sender asks again and gets its answer
    if request.txn.type is TxnType.PAY:  # a collect request waits for its payer, who begins it
        rail.admission.begun(tx, txn.id)
    detail = {"from": sender, "amount": txn.amount_minor}
    await transactions.add_event(tx, txn.id, txn.created_at, "requested", txn.payment, detail)
    code = code or txn.payment.code
    if code is not None:
        fresh = replace(txn, payment=Payment(State.INITIATED))
        return await steps.apply(
            tx, rail, fresh, AuthRefused(code), {"by": "payer" if declined else "switch"}
        )
    if request.txn.type is TxnType.PAY:
        await ask_payee(tx, rail, txn)
    return txn


def _who(rail: Rail, vpa: str) -> Code:
    """An address of a handle that nobody has is U17; one that its bank does not know is ZH."""
    handle = vpa.partition("@")[2]
    return Code.VPA_UNKNOWN if rail.directory.bank_of(handle) else Code.PSP_UNKNOWN


async def _new(tx: Transaction, rail: Rail, sender: str, request: ReqPay, payer: Entry, payee: Entry) -> Txn:
    now = rail.clock.now()
    return Txn(
        id=request.txn.id,
        type=request.txn.type.value,
        payment=Payment(State.INITIATED),
        rrn=rulebook.rrn_of(now, await transactions.next_number(tx)),
        amount_minor=request.payee.amount.minor,
        note=request.txn.note,
        ref_id=request.txn.ref_id,
        mode=request.txn.initiation_mode,
        org_txn_id=None,
        initiator=sender,
        request_id=request.head.msg_id,
        fingerprint=fingerprint(request),
        payer=_side(payer),
        payee=_side(payee),
        payee_type=payee.type,
        payee_mcc=payee.mcc,
        payee_psp=payee.participant,
        credential=request.payer.credential.data if request.payer.credential else None,
        told=None,
        counted_in=None,
        counted_on=None,
        expires_at=_until(rail, request, now),
        created_at=now,
    )


def _side(entry: Entry) -> Side:
    return Side(entry.vpa, entry.name, entry.bank, entry.number)


def _until(rail: Rail, request: ReqPay, now: datetime) -> datetime:
    wanted = request.rules.expires_at
    if request.txn.type is TxnType.COLLECT:
        return wanted or now + rail.rules.scaled(60 * rail.rules.collect_minutes)
    longest = now + rail.rules.completion
    return min(wanted, longest) if wanted else longest


async def _forbidden(tx: Transaction, rail: Rail, request: ReqPay, txn: Txn) -> Code | None:
    """What the rulebook says against it, the day's limits aside."""
    now, rules = rail.clock.now(), rail.rules
    if request.rules.expires_at is not None and request.rules.expires_at <= now:
        return Code.EXPIRED
    if txn.payer.vpa == txn.payee.vpa or (txn.payer.bank, txn.payer.number) == (
        txn.payee.bank,
        txn.payee.number,
    ):
        return Code.MISMATCH
    if txn.type == "COLLECT" and (
        not rules.takes_collect(rulebook.day_of(now)) or txn.initiator != txn.payee_psp
    ):
        return Code.AUTH_DECLINED
    if rail.directory.participant(txn.payee_psp) is None:
        return Code.PSP_UNKNOWN
    for bank, code in ((txn.payer.bank, Code.PAYER_BANK_DOWN), (txn.payee.bank, Code.PAYEE_BANK_DOWN)):
        if rail.directory.participant(bank) is None:
            return code
    if rules.too_risky(request.risk_score):
        return Code.RISK
    return await _over_net_cap(tx, rail, txn)


async def _over_net_cap(tx: Transaction, rail: Rail, txn: Txn) -> Code | None:
    cap = rail.rules.net_debit_caps.get(txn.payer.bank)
    if cap is None or txn.payer.bank == txn.payee.bank:
        return None
    day = rulebook.day_of(rail.clock.now())
    since = datetime(day.year, day.month, day.day, tzinfo=rulebook.INDIA)
    net = await transactions.net_position(tx, txn.payer.bank, since)
    return Code.NET_DEBIT_CAP if net - txn.amount_minor < -cap else None


async def _count(tx: Transaction, rail: Rail, txn: Txn) -> Txn:
    """The transaction counted in its payer's day; or with the code that forbids it (U02, Z7)."""
    day = rulebook.day_of(rail.clock.now())
    limit = rail.rules.limit_for(rulebook.kind_of(txn.payee_type), txn.payee_mcc, day)
    code = rulebook.over_cap(limit, txn.amount_minor)
    if code is None:
        spent, count = await transactions.lock_spending(tx, txn.payer, day, limit.name)
        code = rulebook.over_day(rail.rules, limit, spent, count, txn.amount_minor)
    if code is not None:
        return replace(txn, payment=Payment(State.INITIATED, code))
    await transactions.spend(tx, txn.payer, day, limit.name, txn.amount_minor, 1)
    return replace(txn, counted_in=limit.name, counted_on=day)


async def ask_payee(tx: Transaction, rail: Rail, txn: Txn) -> None:
    """Ask the payee's PSP whether it takes a payment that is new."""
    now = rail.clock.now()
    timer = rail.rules.scaled(rail.rules.pay_timer)
    await rail.post(
        tx, txn.payee_psp, Api.REQ_AUTH_DETAILS, writing.auth_request(txn, now), expires_at=now + timer
    )
    await steps.start_timer(tx, rail, txn.id, AUTH, timer, first=True)


async def approve_collect(tx: Transaction, rail: Rail, txn: Txn, credential: str) -> Txn:
    """The payer approves what was asked for: it counts in the day, and the debit follows.

    However long it waited on the phone, it has as much time for its steps as any other payment.
    """
    if txn.payment.state is not State.INITIATED:
        return txn
    counted = await _count(tx, rail, txn)
    if counted.payment.code is not None:
        return await steps.apply(tx, rail, txn, AuthRefused(counted.payment.code), {"by": "switch"})
    rail.admission.begun(tx, txn.id)
    now = rail.clock.now()
    begun = replace(counted, credential=credential, authorised_at=now, expires_at=now + rail.rules.completion)
    await transactions.approved(tx, txn.id, credential, now, begun.expires_at)
    await transactions.count_in(tx, txn.id, counted.counted_in, counted.counted_on)
    return await steps.apply(tx, rail, begun, Authorised(), {"by": "payer"})


async def _refund(tx: Transaction, rail: Rail, sender: str, request: ReqPay) -> Txn | None:
    """Money of a payment goes back, never more than it was (M5). The merchant's bank debits without a PIN.

    It is the bank that was credited, whichever the merchant's is by now; one that has left is not asked to debit.
    """
    paid = await transactions.lock(tx, request.txn.org_txn_id or "")
    if paid is None or paid.payee_psp != sender or paid.type == "REFUND":
        return await _refuse(tx, rail, sender, request, Code.NOT_FOUND)
    if paid.payment.state is not State.SUCCESS or _differs(request, paid):
        return await _refuse(tx, rail, sender, request, Code.MISMATCH)
    if rail.directory.participant(paid.payee.bank) is None:
        return await _refuse(tx, rail, sender, request, Code.PAYER_BANK_DOWN)
    if not await transactions.take_refund(tx, paid.id, request.payee.amount.minor):
        return await _refuse(tx, rail, sender, request, Code.AMOUNT_CAP)
    now = rail.clock.now()
    txn = Txn(
        id=request.txn.id,
        type=TxnType.REFUND.value,
        payment=Payment(State.INITIATED),
        rrn=rulebook.rrn_of(now, await transactions.next_number(tx)),
        amount_minor=request.payee.amount.minor,
        note=request.txn.note,
        ref_id=request.txn.ref_id,
        mode=request.txn.initiation_mode,
        org_txn_id=paid.id,
        initiator=sender,
        request_id=request.head.msg_id,
        fingerprint=fingerprint(request),
        payer=paid.payee,
        payee=paid.payer,
        payee_type="PERSON",
        payee_mcc="0000",
        payee_psp=paid.payer.bank,
        credential=None,
        told=None,
        counted_in=steps.REFUND,
        counted_on=None,
        expires_at=now + rail.rules.completion,
        created_at=now,
    )
    if not await transactions.add(tx, txn):
        raise Refused(Code.DUPLICATE)
    rail.admission.begun(tx, txn.id)
    detail = {"from": sender, "amount": txn.amount_minor, "payment": paid.id}
    await transactions.add_event(tx, txn.id, now, "requested", txn.payment, detail)
    return await steps.apply(tx, rail, txn, Authorised(), {"by": sender})


def _differs(request: ReqPay, paid: Txn) -> bool:
    return request.payer.vpa != paid.payee.vpa or request.payee.vpa != paid.payer.vpa
