"""A message of the switch arrives: taken once, with its effect in the same transaction."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid5

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.bank_simulator.store import accounts
from services.bank_simulator.store import legs as leg_store
from services.bank_simulator.usecases import legs
from services.bank_simulator.usecases.bank import RAIL, Bank
from services.bank_simulator.usecases.problems import Refused, sender_mismatch
from services.upi_core import contract as upi
from services.upi_core.contract import SWITCH, Api, Code
from suuupra import failpoints, messages
from suuupra.db import Database, Transaction
from suuupra.errors import invalid

USEFUL: Final = timedelta(minutes=10)
"""How long an answer may be of use to whoever asked."""


async def receive(database: Database, bank: Bank, api: Api, sender: str, body: bytes) -> upi.Ack:
    """Take a message that the switch signed. Raises MessageRefused for what cannot be taken."""
    message = _parsed(api, body)
    if message.head.org_id != sender:
        raise sender_mismatch(message.head.org_id, sender)
    refusal = None
    try:
        async with database.transaction() as tx:
            fresh = await messages.take(tx, sender, message.head.msg_id, body, bank.clock.now())
            if fresh or api is Api.REQ_PAY:
                await _HANDLERS[api](tx, bank, message, body)
    except messages.IdReused:
        refusal = upi.MessageRefused(Code.DUPLICATE, "body.head.msg_id")
    except Refused as refused:
        refusal = upi.MessageRefused(refused.code)
    failpoints.hit(f"bank.{message.txn.type}.committed")
    if refusal is not None:
        raise refusal
    return upi.Ack(api=api, req_msg_id=message.head.msg_id, ts=bank.clock.now())


def _parsed(api: Api, body: bytes) -> Any:
    if api not in _HANDLERS:
        raise invalid("path.api", "must be a message that a bank takes", "send it to the switch")
    try:
        return upi.MESSAGES[api].model_validate_json(body)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None


def _head(bank: Bank, message: Any, api: Api) -> upi.Head:
    return upi.Head(ts=bank.clock.now(), org_id=bank.code, msg_id=uuid5(message.head.msg_id, api))


def _resp(message: Any, result: upi.Result, code: Code) -> upi.Resp:
    return upi.Resp(req_msg_id=message.head.msg_id, result=result, code=code)


async def _post(tx: Transaction, bank: Bank, api: Api, answer: Any) -> None:
    body = answer.model_dump_json(exclude_none=True).encode()
    until = bank.clock.now() + USEFUL
    await bank.messenger.post(tx, answer.head.msg_id, SWITCH, upi.path_of(api), body, expires_at=until)


async def _pay(tx: Transaction, bank: Bank, message: upi.ReqPay, body: bytes) -> None:
    await legs.take(tx, bank, message, body)


async def _check(tx: Transaction, bank: Bank, message: upi.ReqChkTxn, _body: bytes) -> None:
    """How did a leg end?"""
    leg = await leg_store.lock(tx, RAIL, message.txn.org_txn_id or "", message.leg or "")
    result: upi.Result = "FAILURE"
    code = Code.NOT_FOUND
    if leg is not None and leg.state == "done":
        result, code = "SUCCESS", Code.SUCCESS
    elif leg is not None and leg.state == "refused":
        code = Code(leg.code or Code.SYSTEM.value)
    elif leg is not None and leg.state == "accepted":
        result, code = "PENDING", Code.SUCCESS
    answer = upi.RespChkTxn(
        head=_head(bank, message, Api.RESP_CHK_TXN),
        txn=message.txn,
        resp=_resp(message, result, code),
        leg=message.leg,
    )
    await _post(tx, bank, Api.RESP_CHK_TXN, answer)


async def _authorise(tx: Transaction, bank: Bank, message: upi.ReqAuthDetails, _body: bytes) -> None:
    """A customer is to be paid: where is the account?"""
    account = await accounts.by_vpa(tx, message.payee.vpa)
    head = _head(bank, message, Api.RESP_AUTH_DETAILS)
    if account is None:
        resp = _resp(message, "FAILURE", Code.VPA_UNKNOWN)
        answer = upi.RespAuthDetails(head=head, txn=message.txn, resp=resp)
    else:
        named = upi.Account(bank=bank.code, number=account.number)
        payee = message.payee.model_copy(update={"account": named, "name": account.name})
        resp = _resp(message, "SUCCESS", Code.SUCCESS)
        answer = upi.RespAuthDetails(head=head, txn=message.txn, resp=resp, payees=[payee])
    await _post(tx, bank, Api.RESP_AUTH_DETAILS, answer)


async def _validate(tx: Transaction, bank: Bank, message: upi.ReqValAdd, _body: bytes) -> None:
    """Whose address is it?"""
    account = await accounts.by_vpa(tx, message.payee_vpa)
    resp = _resp(message, "SUCCESS", Code.SUCCESS) if account else _resp(message, "FAILURE", Code.VPA_UNKNOWN)
    answer = upi.RespValAdd(
        head=_head(bank, message, Api.RESP_VAL_ADD),
        txn=message.txn,
        resp=resp,
        name=account.name if account else "",
        type=None if account is None else "ENTITY" if account.kind == "merchant" else "PERSON",
    )
    await _post(tx, bank, Api.RESP_VAL_ADD, answer)


async def _confirm(tx: Transaction, bank: Bank, message: upi.ReqTxnConfirmation, _body: bytes) -> None:
    """A payment to a customer ended; the bank's own entries say so already."""
    answer = upi.RespTxnConfirmation(
        head=_head(bank, message, Api.RESP_TXN_CONFIRMATION),
        txn=message.txn,
        resp=_resp(message, "SUCCESS", Code.SUCCESS),
    )
    await _post(tx, bank, Api.RESP_TXN_CONFIRMATION, answer)


async def _heartbeat(tx: Transaction, bank: Bank, message: upi.ReqHbt, _body: bytes) -> None:
    head = _head(bank, message, Api.RESP_HBT)
    resp = _resp(message, "SUCCESS", Code.SUCCESS)
    await _post(tx, bank, Api.RESP_HBT, upi.RespHbt(head=head, txn=message.txn, resp=resp))


async def _noted(_tx: Transaction, _bank: Bank, _message: upi.Message, _body: bytes) -> None:
    """An answer to something that a bank does not ask about by itself."""


Handler = Callable[[Transaction, Bank, Any, bytes], Awaitable[None]]
_HANDLERS: Final[dict[Api, Handler]] = {
    Api.REQ_PAY: _pay,
    Api.REQ_CHK_TXN: _check,
    Api.REQ_AUTH_DETAILS: _authorise,
    Api.REQ_VAL_ADD: _validate,
    Api.REQ_TXN_CONFIRMATION: _confirm,
    Api.REQ_HBT: _heartbeat,
    Api.RESP_HBT: _noted,
    Api.RESP_COMPLAINT: _noted,
}
