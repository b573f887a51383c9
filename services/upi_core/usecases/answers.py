"""What others answer and ask: each message of the rail has one function here, all inside the caller's transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

from services.upi_core.contract import (
    Api,
    Code,
    Ref,
    ReqChkTxn,
    ReqComplaint,
    ReqHbt,
    ReqPay,
    ReqValAdd,
    Resp,
    RespAuthDetails,
    RespChkTxn,
    RespComplaint,
    RespHbt,
    RespPay,
    RespTxnConfirmation,
    RespValAdd,
    Result,
)
from services.upi_core.domain import payment as machine
from services.upi_core.domain import writing
from services.upi_core.domain.names import masked
from services.upi_core.domain.payment import LegName, State
from services.upi_core.store import disputes, participants, transactions
from services.upi_core.store.transactions import Txn
from services.upi_core.usecases import collect, pay, steps
from services.upi_core.usecases.problems import Refused
from services.upi_core.usecases.rail import Rail
from suuupra.db import Transaction

Handler = Callable[[Transaction, Rail, str, Any], Awaitable[None]]


async def req_pay(tx: Transaction, rail: Rail, sender: str, message: ReqPay) -> None:
    """Pay, collect or refund."""
    txn = await pay.begin(tx, rail, sender, message)
    if txn is not None and txn.type == "COLLECT" and txn.payment.state is State.INITIATED:
        await collect.ask_payer(tx, rail, txn)


async def resp_pay(tx: Transaction, rail: Rail, sender: str, message: RespPay) -> None:
    """A bank says how a leg ended."""
    leg = cast(LegName, message.txn.type.value)
    txn = await _of_bank(tx, message.txn.id, leg, sender)
    code = message.resp.code
    if message.resp.result not in ("SUCCESS", "FAILURE"):
        return
    approval = message.resp.refs[0].approval if message.resp.refs else None
    await transactions.leg_answered(tx, txn.id, leg, code.value, approval, rail.clock.now())
    detail = {"leg": leg, "bank": sender, "bank_code": code.value, "approval": approval}
    await steps.apply(tx, rail, txn, machine.LegAnswered(leg, code), detail)


async def _of_bank(tx: Transaction, txn_id: str, leg: LegName, sender: str) -> Txn:
    """The transaction, of which that bank does that leg."""
    txn = await transactions.lock(tx, txn_id)
    if txn is None or leg not in ("DEBIT", "CREDIT", "REVERSAL"):
        raise Refused(Code.NOT_FOUND)
    if sender != (txn.payee.bank if leg == "CREDIT" else txn.payer.bank):
        raise Refused(Code.NOT_FOUND)
    return txn


async def resp_auth(tx: Transaction, rail: Rail, sender: str, message: RespAuthDetails) -> None:
    """The payee's PSP takes the payment, or not."""
    txn = await transactions.lock(tx, message.txn.id)
    if txn is None or txn.payee_psp != sender:
        raise Refused(Code.NOT_FOUND)
    if txn.payment.state is not State.INITIATED:
        return
    payee = message.payees[0] if message.payees else None
    happening: machine.Happening = machine.Authorised()
    if message.resp.result != "SUCCESS":
        happening = machine.AuthRefused(_refusing(message.resp.code))
    elif payee is not None and payee.amount.minor != txn.amount_minor:
        happening = machine.AuthRefused(Code.MISMATCH)
    elif payee is not None and payee.account is not None:
        if rail.directory.participant(payee.account.bank) is None:
            happening = machine.AuthRefused(Code.PAYEE_BANK_DOWN)
        else:
            account = payee.account
            await transactions.give_account(tx, txn.id, account.bank, account.number)
            txn = replace(txn, payee=replace(txn.payee, bank=account.bank, number=account.number))
    await steps.apply(tx, rail, txn, happening, {"by": sender})


def _refusing(code: Code) -> Code:
    """What is PENDING or DEEMED may say 00: it is no answer to whether the payment is taken, so it is not taken."""
    return Code.AUTH_DECLINED if code is Code.SUCCESS else code


async def resp_check(tx: Transaction, rail: Rail, sender: str, message: RespChkTxn) -> None:
    """A bank says how the leg ended that it was asked about."""
    if message.leg is None:
        raise Refused(Code.NOT_FOUND)
    leg = cast(LegName, message.leg.value)
    txn = await _of_bank(tx, message.txn.org_txn_id or "", leg, sender)
    answer = _answer(message.resp)
    if answer == "SUCCESS":
        await transactions.leg_answered(tx, txn.id, leg, Code.SUCCESS.value, None, rail.clock.now())
    detail = {"leg": leg, "bank": sender, "answer": answer}
    await steps.apply(tx, rail, txn, machine.Checked(leg, answer), detail)


def _answer(resp: Resp) -> machine.Answer:
    if resp.result == "FAILURE":
        return "NOT_FOUND" if resp.code is Code.NOT_FOUND else "FAILURE"
    return "SUCCESS" if resp.result == "SUCCESS" else "PENDING"


async def req_check(tx: Transaction, rail: Rail, sender: str, message: ReqChkTxn) -> None:
    """A PSP asks how its transaction ended."""
    txn = await transactions.find(tx, message.txn.org_txn_id or "")
    result: Result = "FAILURE"
    code, found = Code.NOT_FOUND, list[Ref]()
    shown = message.txn
    if txn is not None and sender in (txn.initiator, txn.payee_psp):
        result, code = outcome(txn)
        found = await steps.refs(tx, txn)
        shown = shown.model_copy(update={"cust_ref": txn.rrn, "ref_id": txn.ref_id})
    now = rail.clock.now()
    answer = RespChkTxn(
        head=writing.head(now, writing.answer_id(message.head.msg_id, Api.RESP_CHK_TXN)),
        txn=shown,
        resp=Resp(req_msg_id=message.head.msg_id, result=result, code=code, refs=found),
    )
    await rail.post(tx, sender, Api.RESP_CHK_TXN, answer, expires_at=_answerable(rail))


def outcome(txn: Txn) -> tuple[Result, Code]:
    """How a transaction stands, as others may know it."""
    code = txn.payment.code or Code.SYSTEM
    match txn.payment.state:
        case State.SUCCESS:
            return "SUCCESS", Code.SUCCESS
        case State.DEEMED:
            return "DEEMED", Code.DEEMED
        case State.DISPUTED if not txn.payment.reversals:
            return "DEEMED", Code.DEEMED
        case State.FAILED | State.EXPIRED | State.REVERSED | State.REVERSAL_PENDING | State.DISPUTED:
            return "FAILURE", code
        case _:
            return "PENDING", Code.SUCCESS


def _answerable(rail: Rail) -> Any:
    """An answer that comes later than this answers nobody's question."""
    return rail.clock.now() + timedelta(minutes=10)


async def req_val_add(tx: Transaction, rail: Rail, sender: str, message: ReqValAdd) -> None:
    """Whose address is it?"""
    entry = await participants.find(tx, message.payee_vpa)
    now = rail.clock.now()
    head = writing.head(now, writing.answer_id(message.head.msg_id, Api.RESP_VAL_ADD))
    if entry is None:
        resp = Resp(req_msg_id=message.head.msg_id, result="FAILURE", code=Code.VPA_UNKNOWN)
        answer = RespValAdd(head=head, txn=message.txn, resp=resp)
    else:
        resp = Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
        shown = entry.name if entry.type == "ENTITY" else masked(entry.name)
        answer = RespValAdd.model_validate(
            {
                "head": head,
                "txn": message.txn,
                "resp": resp,
                "name": shown,
                "type": entry.type,
                "mcc": entry.mcc,
            }
        )
    until = now + rail.rules.scaled(rail.rules.val_add_timer)
    await rail.post(tx, sender, Api.RESP_VAL_ADD, answer, expires_at=until)


async def req_heartbeat(tx: Transaction, rail: Rail, sender: str, message: ReqHbt) -> None:
    """A participant asks whether the switch is there."""
    now = rail.clock.now()
    answer = RespHbt(
        head=writing.head(now, writing.answer_id(message.head.msg_id, Api.RESP_HBT)),
        txn=message.txn,
        resp=Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS),
    )
    await rail.post(tx, sender, Api.RESP_HBT, answer, expires_at=now + timedelta(seconds=30))


async def resp_heartbeat(tx: Transaction, rail: Rail, sender: str, _message: RespHbt) -> None:
    """A participant is there."""
    await participants.beat(tx, sender, rail.clock.now())


async def resp_confirmation(tx: Transaction, rail: Rail, sender: str, message: RespTxnConfirmation) -> None:
    """The payee's PSP has noted how the payment ended."""
    txn = await transactions.find(tx, message.txn.org_txn_id or "")
    if txn is not None and sender in (txn.payee_psp, txn.initiator):
        await transactions.add_event(tx, txn.id, rail.clock.now(), "confirmed", txn.payment, {"by": sender})


async def req_complaint(tx: Transaction, rail: Rail, sender: str, message: ReqComplaint) -> None:
    """A participant disputes a transaction that it has part in, within the time that the rulebook gives."""
    txn = await transactions.find(tx, message.txn.org_txn_id or "")
    now = rail.clock.now()
    resp = Resp(req_msg_id=message.head.msg_id, result="FAILURE", code=Code.NOT_FOUND)
    item = None
    if txn is not None and sender in (txn.initiator, txn.payee_psp, txn.payer.bank, txn.payee.bank):
        due_at = txn.created_at + timedelta(days=rail.rules.dispute_days)
        if now <= due_at:
            resp = Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
            item = await disputes.open_item(
                tx,
                txn.id,
                f"complaint:{sender}",
                txn.amount_minor,
                raised_by=sender,
                reason=message.reason,
                now=now,
                due_at=due_at,
            )
            await transactions.add_event(tx, txn.id, now, "complaint", txn.payment, {"by": sender})
    head = writing.head(now, writing.answer_id(message.head.msg_id, Api.RESP_COMPLAINT))
    answer = RespComplaint(head=head, txn=message.txn, resp=resp, dispute=item)
    await rail.post(tx, sender, Api.RESP_COMPLAINT, answer, expires_at=_answerable(rail))


HANDLERS: Final[dict[Api, Handler]] = {
    Api.REQ_PAY: req_pay,
    Api.RESP_PAY: resp_pay,
    Api.RESP_AUTH_DETAILS: resp_auth,
    Api.REQ_CHK_TXN: req_check,
    Api.RESP_CHK_TXN: resp_check,
    Api.REQ_VAL_ADD: req_val_add,
    Api.REQ_HBT: req_heartbeat,
    Api.RESP_HBT: resp_heartbeat,
    Api.RESP_TXN_CONFIRMATION: resp_confirmation,
    Api.REQ_COMPLAINT: req_complaint,
}
"""What the switch takes. The rest is only ever sent by it."""
