"""What happens by itself: a step's time is over, a check is due, a participant is asked whether it is there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from services.upi_core.contract import MESSAGES, Api, Code, ReqPay
from services.upi_core.domain import payment as machine
from services.upi_core.domain.payment import LegName
from services.upi_core.store import transactions
from services.upi_core.usecases import collect, joining, steps
from services.upi_core.usecases.rail import Rail
from suuupra.db import Database, Transaction
from suuupra.messages import Outgoing
from suuupra.schedule import Handler, Payload

_CODES: Final = frozenset(code.value for code in Code)
_STEPS: Final[Mapping[str, machine.Happening]] = {
    "auth": machine.TimedOut("auth"),
    "DEBIT": machine.TimedOut("DEBIT"),
    "CREDIT": machine.TimedOut("CREDIT"),
    "REVERSAL": machine.TimedOut("REVERSAL"),
    "check": machine.TimedOut("check"),
    steps.CHECK_DUE: machine.CheckDue(),
    collect.EXPIRES: machine.CollectExpired(),
}


def handlers(rail: Rail) -> Mapping[str, Handler]:
    """Kind of scheduled work → what does it."""

    async def timer(tx: Transaction, key: str, payload: Payload, _due: datetime) -> None:
        txn = await transactions.lock(tx, key)
        if txn is not None:
            await steps.apply(tx, rail, txn, _STEPS[payload["step"]], {"timer": payload["step"]})

    async def heartbeat(tx: Transaction, key: str, _payload: Payload, _due: datetime) -> None:
        await joining.beat(tx, rail, key)

    return {steps.TIMER: timer, joining.HEARTBEAT: heartbeat}


async def refused(database: Database, rail: Rail, message: Outgoing, reason: str) -> None:
    """A participant refuses the switch's message for good: of a leg or an authorisation that is its answer."""
    api = Api(message.path.rpartition("/")[2])
    if api not in (Api.REQ_PAY, Api.REQ_AUTH_DETAILS):
        return
    code = Code(reason) if reason in _CODES else Code.SYSTEM
    parsed: Any = MESSAGES[api].model_validate_json(message.body)
    async with database.transaction() as tx:
        txn = await transactions.lock(tx, parsed.txn.id)
        if txn is None:
            return
        detail = {"by": message.recipient, "refused": api.value, "bank_code": code.value}
        if isinstance(parsed, ReqPay):
            leg = cast(LegName, parsed.txn.type.value)
            await transactions.leg_answered(tx, txn.id, leg, code.value, None, rail.clock.now())
            await steps.apply(tx, rail, txn, machine.LegAnswered(leg, code), detail)
        else:
            await steps.apply(tx, rail, txn, machine.AuthRefused(code), detail)
