"""A message arrives: who says it is known, it is taken once, and it has its effect in the same transaction."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.upi_core.contract import MESSAGES, Ack, Api, Code, Message, MessageRefused, ReqPay, TxnType
from services.upi_core.domain import writing
from services.upi_core.usecases import answers
from services.upi_core.usecases.problems import Refused, sender_mismatch
from services.upi_core.usecases.rail import Rail
from suuupra import failpoints, logs, messages
from suuupra.db import Database, Transaction
from suuupra.errors import invalid

_ANSWERED_BY: Final = {
    Api.REQ_PAY: Api.RESP_PAY,
    Api.REQ_CHK_TXN: Api.RESP_CHK_TXN,
    Api.REQ_VAL_ADD: Api.RESP_VAL_ADD,
    Api.REQ_HBT: Api.RESP_HBT,
    Api.REQ_COMPLAINT: Api.RESP_COMPLAINT,
}
_log = logs.get_logger(__name__)


async def receive(database: Database, rail: Rail, api: Api, sender: str, body: bytes) -> Ack:
    """Take a message that `sender` signed.

    Raises Problems for what is no message of the rail, ManyArePaying for one that is to be sent again later.
    """
    message = _parsed(api, body)
    head = message.head  # type: ignore[attr-defined]  # every message has one
    if head.org_id != sender:
        raise sender_mismatch(head.org_id, sender)
    with _place_for(rail, message):
        refused = await _taken(database, rail, api, sender, message, head.msg_id, body)
    failpoints.hit(f"switch.{_point(api, message)}.committed")
    if refused is not None:
        _log.warning("message refused", api=api, sender=sender, code=refused.code)
        raise refused
    return Ack(api=api, req_msg_id=head.msg_id, ts=rail.clock.now())


def _parsed(api: Api, body: bytes) -> Message:
    if api not in answers.HANDLERS:
        raise invalid("path.api", "must be a message that the switch takes", "send it to a participant")
    try:
        return MESSAGES[api].model_validate_json(body)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None


def _place_for(rail: Rail, message: Message) -> AbstractContextManager[None]:
    """What begins a payment needs a place. A refund goes on with one: who waits for it would ask about it meanwhile,
    hear that there is none, and send another.
    """
    if isinstance(message, ReqPay) and message.txn.type is not TxnType.REFUND:
        return rail.admission.place(message.txn.id)
    return nullcontext()


def _point(api: Api, message: Message) -> str:
    """What failpoints call it: `RespPay-DEBIT`, `RespAuthDetails-PAY`."""
    return f"{api}-{message.txn.type}"  # type: ignore[attr-defined]  # every message has one


async def _taken(
    database: Database, rail: Rail, api: Api, sender: str, message: Message, msg_id: UUID, body: bytes
) -> MessageRefused | None:
    """None, or why the message was refused."""
    try:
        async with database.transaction() as tx:
            if await messages.take(tx, sender, msg_id, body, rail.clock.now()):
                await answers.HANDLERS[api](tx, rail, sender, message)
                failpoints.hit(f"switch.{_point(api, message)}.handled")
            else:
                await _answer_again(tx, rail, api, msg_id)
    except messages.IdReused:
        return MessageRefused(Code.DUPLICATE, "body.head.msg_id")
    except Refused as refused:
        return MessageRefused(refused.code)
    return None


async def _answer_again(tx: Transaction, rail: Rail, api: Api, msg_id: UUID) -> None:
    """Whoever asks the same again has not had the answer."""
    if api in _ANSWERED_BY:
        await rail.messenger.again(tx, writing.answer_id(msg_id, _ANSWERED_BY[api]))
