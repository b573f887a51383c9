"""The switch's own messages, made of a transaction."""

from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID, uuid5

from services.upi_core.domain.codes import Code
from services.upi_core.domain.links import CURRENCY
from services.upi_core.domain.messages import (
    SWITCH,
    Account,
    Api,
    Credential,
    Head,
    Message,
    Payee,
    Payer,
    Ref,
    ReqAuthDetails,
    ReqChkTxn,
    ReqHbt,
    ReqPay,
    ReqTxnConfirmation,
    Resp,
    RespPay,
    Rules,
    Txn,
    TxnType,
    new_txn_id,
)
from services.upi_core.domain.payment import LegName
from suuupra.money import Money


class SideOf(Protocol):
    """Who pays or is paid."""

    @property
    def vpa(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def bank(self) -> str: ...
    @property
    def number(self) -> str: ...


class Payable(Protocol):
    """What is read of a transaction."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def rrn(self) -> str: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def note(self) -> str: ...
    @property
    def ref_id(self) -> str | None: ...
    @property
    def mode(self) -> str: ...
    @property
    def org_txn_id(self) -> str | None: ...
    @property
    def request_id(self) -> UUID: ...
    @property
    def payer(self) -> SideOf: ...
    @property
    def payee(self) -> SideOf: ...
    @property
    def payee_type(self) -> str: ...
    @property
    def payee_mcc(self) -> str: ...
    @property
    def credential(self) -> str | None: ...


def answer_id(request: UUID, api: Api) -> UUID:
    """The id of the one answer to a request: it can be found again, and is never made twice."""
    return uuid5(request, api)


def body(message: Message) -> bytes:
    """The bytes that are signed and sent."""
    return message.model_dump_json(exclude_none=True).encode()


def head(now: datetime, msg_id: UUID | None = None) -> Head:
    return Head(ts=now, org_id=SWITCH) if msg_id is None else Head(ts=now, org_id=SWITCH, msg_id=msg_id)


def txn_of(txn: Payable, kind: TxnType, now: datetime) -> Txn:
    return Txn.model_validate(
        {
            "id": txn.id,
            "type": kind,
            "ts": now,
            "note": txn.note,
            "ref_id": txn.ref_id,
            "cust_ref": txn.rrn,
            "initiation_mode": txn.mode,
            "org_txn_id": txn.org_txn_id,
        }
    )


def about(txn: Payable, kind: TxnType, now: datetime) -> Txn:
    """A transaction of its own about `txn`: a check, a confirmation."""
    return txn_of(txn, kind, now).model_copy(update={"id": new_txn_id("UPI"), "org_txn_id": txn.id})


def payer_of(txn: Payable, *, account: bool = False, credential: bool = False) -> Payer:
    return Payer(
        vpa=txn.payer.vpa,
        name=txn.payer.name,
        amount=Money(txn.amount_minor, CURRENCY),
        account=Account(bank=txn.payer.bank, number=txn.payer.number) if account else None,
        credential=Credential(data=txn.credential) if credential and txn.credential else None,
    )


def payee_of(txn: Payable, *, account: bool = False) -> Payee:
    entity: Literal["PERSON", "ENTITY"] = "ENTITY" if txn.payee_type == "ENTITY" else "PERSON"
    return Payee(
        vpa=txn.payee.vpa,
        name=txn.payee.name,
        amount=Money(txn.amount_minor, CURRENCY),
        type=entity,
        mcc=txn.payee_mcc,
        account=Account(bank=txn.payee.bank, number=txn.payee.number) if account else None,
    )


def leg_request(txn: Payable, leg: LegName, now: datetime, expires_at: datetime | None) -> ReqPay:
    """What a bank is told to do. A debit is not to be done after `expires_at`: by then it counts as unknown."""
    return ReqPay(
        head=head(now),
        txn=txn_of(txn, TxnType(leg), now),
        payer=payer_of(txn, account=leg != "CREDIT", credential=leg == "DEBIT"),
        payees=[payee_of(txn, account=leg == "CREDIT")],
        rules=Rules(expires_at=expires_at),
    )


def auth_request(txn: Payable, now: datetime) -> ReqAuthDetails:
    return ReqAuthDetails(
        head=head(now),
        txn=txn_of(txn, TxnType(txn.type), now),
        payer=payer_of(txn),
        payees=[payee_of(txn)],
    )


def check_request(txn: Payable, leg: LegName, now: datetime) -> ReqChkTxn:
    return ReqChkTxn(head=head(now), txn=about(txn, TxnType.CHK_TXN, now), leg=_LEGS[leg])


_LEGS: dict[LegName, Literal[TxnType.DEBIT, TxnType.CREDIT, TxnType.REVERSAL]] = {
    "DEBIT": TxnType.DEBIT,
    "CREDIT": TxnType.CREDIT,
    "REVERSAL": TxnType.REVERSAL,
}


def confirmation(
    txn: Payable, result: Literal["SUCCESS", "FAILURE", "DEEMED"], code: Code, now: datetime
) -> ReqTxnConfirmation:
    kinds: dict[str, Literal[TxnType.PAY, TxnType.COLLECT, TxnType.REFUND]] = {
        "COLLECT": TxnType.COLLECT,
        "REFUND": TxnType.REFUND,
    }
    return ReqTxnConfirmation(
        head=head(now),
        txn=about(txn, TxnType.TXN_CONFIRMATION, now),
        of=kinds.get(txn.type, TxnType.PAY),
        result=result,
        code=code,
        payer=payer_of(txn),
        payees=[payee_of(txn)],
    )


def answer(
    txn: Payable, result: Literal["SUCCESS", "FAILURE", "DEEMED"], code: Code, refs: list[Ref], now: datetime
) -> RespPay:
    """RespPay to whoever sent the ReqPay."""
    return RespPay(
        head=head(now, answer_id(txn.request_id, Api.RESP_PAY)),
        txn=txn_of(txn, TxnType(txn.type), now),
        resp=Resp(req_msg_id=txn.request_id, result=result, code=code, refs=refs),
    )


def refusal(request: ReqPay, code: Code, now: datetime) -> RespPay:
    """RespPay to a request of which there is no transaction."""
    return RespPay(
        head=head(now, answer_id(request.head.msg_id, Api.RESP_PAY)),
        txn=request.txn,
        resp=Resp(req_msg_id=request.head.msg_id, result="FAILURE", code=code),
    )


def heartbeat(now: datetime) -> ReqHbt:
    return ReqHbt(head=head(now), txn=Txn(id=new_txn_id("UPI"), type=TxnType.HBT, ts=now))
