"""What a bank does by itself: a leg after its latency, a late answer, the end of a hold."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.bank_simulator.usecases import accounts, legs
from services.bank_simulator.usecases.bank import Bank
from suuupra.db import Transaction
from suuupra.schedule import Handler, Payload


def handlers(bank: Bank) -> Mapping[str, Handler]:
    """Kind of scheduled work → what does it."""

    async def leg(tx: Transaction, key: str, _payload: Payload, _due: datetime) -> None:
        await legs.do_later(tx, bank, key)

    async def reply(tx: Transaction, key: str, _payload: Payload, _due: datetime) -> None:
        await legs.reply_later(tx, bank, key)

    async def hold(tx: Transaction, key: str, _payload: Payload, _due: datetime) -> None:
        await accounts.expire(tx, UUID(key))

    return {legs.DO: leg, legs.REPLY: reply, accounts.EXPIRES: hold}
