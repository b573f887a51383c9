"""What the UPI switch says to us, as the merchant's PSP: each message has its effect once, and is answered later."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.payments.clients.upi import UpiRail
from services.payments.domain import attempts, refunds
from services.payments.domain.attempts import Contradiction, Decline
from services.payments.domain.payment import AwaitingPayer, Payment, Receipt
from services.payments.domain.rails import Failure, Outcome, StillOpen, Success
from services.payments.store import payments as store
from services.payments.store import rails as rail_store
from services.payments.store.tables import ReceivedRow
from services.payments.usecases import refunding
from services.payments.usecases.changing import Change
from services.upi_core import contract as upi
from services.upi_core.contract import Api, Code
from suuupra.db import Transaction

USEFUL: Final = timedelta(seconds=60)
"""How long an answer to the switch may still be wanted."""
DECLINES: Final[dict[Decline, Code]] = {
    Decline.NOT_PAYABLE: Code.AUTH_DECLINED,
    Decline.WRONG_AMOUNT: Code.MISMATCH,
    Decline.EXPIRED: Code.EXPIRED,
    Decline.ANOTHER_IN_FLIGHT: Code.AUTH_DECLINED,
}
OUR_SIDE: Final = {
    Code.PAYER_BANK_DOWN: "The bank of {}, where the payment went, has left the rail or is not available.",
    Code.PAYER_ACCOUNT: "The account of {}, where the payment went, does not exist.",
    Code.INSUFFICIENT: "There is not enough money in the account of {}, where the payment went.",
}
"""Of a refund the payer is us: whoever sees to one that failed is told of which address, which may not be today's."""
OUR_DECLINES: Final = frozenset({*DECLINES.values(), Code.DUPLICATE, Code.VPA_UNKNOWN, Code.AUTH_TIMEOUT})


@dataclass(slots=True)
class Conversation:
    """One message, the rail it came over, and what it turned out to be about."""

    change: Change
    rail: UpiRail
    sender: str
    payment_id: UUID | None = None
    what: str = ""
    contradictions: list[str] = field(default_factory=list)

    @property
    def tx(self) -> Transaction:
        return self.change.tx


@dataclass(frozen=True, slots=True)
class Moves:
    """What a transaction moves: an attempt's money, or a refund's."""

    payment_id: UUID
    attempt: int | None = None
    refund_id: UUID | None = None


async def receive(talk: Conversation, api: Api, body: bytes, message: upi.Message) -> Code | None:
    """Take a genuine message in; the code with which it is refused for good, or None.

    Again with the same content it changes nothing and is answered the same; with other content it is refused
    (check M4).
    """
    head: upi.Head = message.head  # type: ignore[attr-defined] # every message begins with one
    if head.org_id != talk.sender:
        return Code.PSP_UNKNOWN
    row = ReceivedRow(
        sender=talk.sender,
        message_id=head.msg_id,
        fingerprint=hashlib.sha256(api.encode() + b"\n" + body).digest(),
        api=api,
        what="",
        received_at=talk.change.now,
    )
    before = await rail_store.receive(talk.tx, row)
    if before is not None:
        told = None if before.refusal is None else Code(before.refusal)
        return told if before.fingerprint == row.fingerprint else Code.DUPLICATE
    refused = await _handle(talk, message)
    row.what = "; ".join(filter(None, [talk.what, refused and f"refused: {refused}", *talk.contradictions]))
    row.payment_id, row.refusal = talk.payment_id, refused
    await rail_store.tell(talk.tx, row)
    return refused


async def _handle(talk: Conversation, message: upi.Message) -> Code | None:
    match message:
        case upi.ReqAuthDetails():
            await _authorise(talk, message)
        case upi.ReqTxnConfirmation():
            return await _confirmed(talk, message)
        case upi.RespPay():
            return await _resolve(talk, message.txn.id, _outcome(message.txn.id, message.resp, message.txn))
        case upi.RespChkTxn() if message.txn.org_txn_id:
            asked = message.txn.org_txn_id
            return await _resolve(talk, asked, _outcome(asked, message.resp, message.txn))
        case upi.ReqHbt():
            await _answer_heartbeat(talk, message)
        case upi.ReqValAdd():
            await _answer_address(talk, message)
        case _:
            return Code.SYSTEM
    return None


def _outcome(transaction: str, resp: upi.Resp, txn: upi.Txn) -> Outcome:
    if resp.result == "SUCCESS":
        return Success(transaction, rrn=txn.cust_ref or "")
    if resp.result == "FAILURE":
        return Failure(transaction, resp.code, upi.MEANINGS[resp.code])
    return StillOpen(transaction, resp.code)


# May this be paid?


async def _authorise(talk: Conversation, message: upi.ReqAuthDetails) -> None:
    code = await _judge(talk, message)
    talk.what = f"answered {code}"
    head = talk.rail.head(talk.change.now)
    resp = upi.Resp(
        req_msg_id=message.head.msg_id, result="SUCCESS" if code == Code.SUCCESS else "FAILURE", code=code
    )
    payee = message.payee
    payees = [talk.rail.payee(payee.vpa, payee.amount)] if code == Code.SUCCESS else []
    answer = upi.RespAuthDetails(head=head, txn=message.txn, resp=resp, payees=payees)
    await _say(talk, Api.RESP_AUTH_DETAILS, answer, head)


async def _judge(talk: Conversation, message: upi.ReqAuthDetails) -> Code:
    """00, or why we do not take it. A transaction that is known for something else is never taken (check M4).

    Who scanned a code before our account moved to another bank pays the address that the code has, and is taken.
    """
    found = await store.attempt_of(talk.tx, message.txn.ref_id or "")
    if found is None:
        return Code.AUTH_DECLINED if message.payee.vpa == talk.rail.vpa else Code.VPA_UNKNOWN
    talk.payment_id, number = found
    payment = await talk.change.locked(talk.payment_id)
    if message.payee.vpa != talk.rail.payee_of(payment.attempt(number).link):
        return Code.VPA_UNKNOWN
    known = await store.transaction_of(talk.tx, talk.rail.name, message.txn.id)
    if known is not None:
        if known.payment_id != payment.id or known.attempt is None:
            return Code.DUPLICATE
        number = known.attempt
    if payment.attempt(number).rail != talk.rail.name:
        return Code.AUTH_DECLINED
    if message.payer.amount != message.payee.amount:
        return Code.MISMATCH
    if known is None and (again := attempts.revive(payment, number, talk.change.now)):
        payment = await talk.change.record(payment, again)
        number = len(payment.attempts)
    decided = attempts.judge_authorisation(
        payment,
        number,
        message.payee.amount,
        message.txn.id,
        message.payer.vpa,
        talk.rail.rules,
        talk.change.now,
    )
    if isinstance(decided, Decline):
        return DECLINES[decided]
    await talk.change.record(payment, decided)
    return Code.SUCCESS


# How did it end?


async def _confirmed(talk: Conversation, message: upi.ReqTxnConfirmation) -> Code | None:
    transaction = message.txn.org_txn_id or message.txn.id
    outcome: Outcome
    match message.result:
        case "SUCCESS":
            amount = message.payee.amount if message.of is not upi.TxnType.REFUND else None
            outcome = Success(transaction, amount, message.payer.vpa, message.txn.cust_ref or "")
        case "FAILURE":
            outcome = Failure(transaction, message.code, upi.MEANINGS[message.code])
        case "DEEMED":
            outcome = StillOpen(transaction, message.code)
    refused = await _resolve(talk, transaction, outcome, reference=message.txn.ref_id)
    if refused is None:
        head = talk.rail.head(talk.change.now)
        resp = upi.Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
        await _say(
            talk,
            Api.RESP_TXN_CONFIRMATION,
            upi.RespTxnConfirmation(head=head, txn=message.txn, resp=resp),
            head,
        )
    return refused


async def _resolve(
    talk: Conversation, transaction: str, outcome: Outcome, *, reference: str | None = None
) -> Code | None:
    """Note an outcome of whatever the transaction moves; U48 when it moves nothing of ours."""
    talk.what = f"{type(outcome).__name__.lower()} {getattr(outcome, 'code', '00')}"
    known = await store.transaction_of(talk.tx, talk.rail.name, transaction)
    if known is not None:
        await _note(talk, Moves(known.payment_id, known.attempt, known.refund_id), outcome)
        return None
    found = await store.attempt_of(talk.tx, reference or "")
    if found is None or isinstance(outcome, StillOpen):
        return Code.NOT_FOUND
    if isinstance(outcome, Failure) and await _of_somebody_else(talk, found, outcome):
        return None
    # It failed before we were asked (declined, over a limit). Or money came that we were not asked about: it is ours
    # all the same, and its payer's if it is too much.
    await _note(talk, Moves(*found), outcome)
    return None


async def _of_somebody_else(talk: Conversation, found: tuple[UUID, int], outcome: Failure) -> bool:
    """Whether who failed was not the payer we wait for: we declined it, or it was another try than the one under way."""
    payment = await talk.change.locked(found[0])
    waiting = isinstance(payment.attempt(found[1]).state, AwaitingPayer)
    return outcome.code in OUR_DECLINES or not waiting


async def _note(talk: Conversation, moves: Moves, outcome: Outcome) -> None:
    talk.payment_id = moves.payment_id
    payment = await talk.change.locked(moves.payment_id)
    decided = _decide(talk, payment, moves, outcome)
    if isinstance(decided, Contradiction):
        talk.change.contradicted(payment, decided)
        talk.contradictions.append(decided.what)
    else:
        payment = await talk.change.record(payment, decided)
        await refunding.return_surpluses(talk.change, payment, decided)


def _decide(
    talk: Conversation, payment: Payment, moves: Moves, outcome: Outcome
) -> attempts.Events | Contradiction:
    rules, now = talk.rail.rules, talk.change.now
    if moves.attempt is not None:
        return attempts.note_outcome(payment, moves.attempt, outcome, rules, now)
    refund = payment.refund(moves.refund_id) if moves.refund_id else None
    if refund is None:
        raise LookupError(f"transaction {outcome.transaction} moves nothing of payment {payment.id}")
    told = _named(outcome, talk.rail, payment.receipt(refund.surplus))
    return refunds.note_refund_outcome(refund, told, rules, now)


def _named(outcome: Outcome, rail: UpiRail, came: Receipt | None) -> Outcome:
    """The outcome of a refund; what our own bank is to blame for names the address that was paid."""
    if came is None or not isinstance(outcome, Failure) or outcome.code not in OUR_SIDE:
        return outcome
    return replace(outcome, reason=OUR_SIDE[Code(outcome.code)].format(rail.payee_of(came.link)))


async def refused(change: Change, rail: UpiRail, body: str, code: str) -> None:
    """The switch refused a message of ours for good. Of a ReqPay that means: this try of the refund is over."""
    message = upi.ReqPay.model_validate_json(body)
    meaning = upi.MEANINGS[Code(code)] if code in set(Code) else "The rail refused it."
    talk = Conversation(change, rail, upi.SWITCH)
    await _resolve(talk, message.txn.id, Failure(message.txn.id, code, meaning))


# Questions that need no payment


async def _answer_heartbeat(talk: Conversation, message: upi.ReqHbt) -> None:
    head = talk.rail.head(talk.change.now)
    resp = upi.Resp(req_msg_id=message.head.msg_id, result="SUCCESS", code=Code.SUCCESS)
    await _say(talk, Api.RESP_HBT, upi.RespHbt(head=head, txn=message.txn, resp=resp), head)


async def _answer_address(talk: Conversation, message: upi.ReqValAdd) -> None:
    ours = message.payee_vpa == talk.rail.vpa
    head = talk.rail.head(talk.change.now)
    resp = upi.Resp(
        req_msg_id=message.head.msg_id,
        result="SUCCESS" if ours else "FAILURE",
        code=Code.SUCCESS if ours else Code.VPA_UNKNOWN,
    )
    merchant = talk.rail.merchant
    answer = upi.RespValAdd(
        head=head,
        txn=message.txn,
        resp=resp,
        name=merchant.name if ours else "",
        type="ENTITY" if ours else None,
        mcc=merchant.category if ours else "0000",
    )
    await _say(talk, Api.RESP_VAL_ADD, answer, head)


async def _say(talk: Conversation, api: Api, message: upi.Message, head: upi.Head) -> None:
    useless_after = talk.change.now + USEFUL
    await talk.change.send(talk.rail.outgoing(api, message, head, talk.payment_id, useless_after))
