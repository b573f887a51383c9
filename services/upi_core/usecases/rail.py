"""What every use case of the switch needs at hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.upi_core.contract import Api, Message, path_of
from services.upi_core.domain.rulebook import Rulebook
from services.upi_core.domain.writing import body
from services.upi_core.usecases.admission import Admission
from services.upi_core.usecases.directory import Directory
from suuupra.clock import Clock
from suuupra.db import Transaction
from suuupra.keyring import Keyring
from suuupra.messages import Messenger

PHONE: Final = "PHONE"
"""The payer's PSP that is part of the switch: the page that plays a phone. It needs no messages."""


@dataclass(frozen=True, slots=True)
class Rail:
    """The switch's means."""

    messenger: Messenger
    keyring: Keyring
    directory: Directory
    admission: Admission
    rules: Rulebook
    clock: Clock

    async def post(
        self,
        tx: Transaction,
        recipient: str,
        api: Api,
        message: Message,
        *,
        expires_at: datetime | None = None,
    ) -> UUID:
        """Tell a participant something once `tx` has committed; the message's id."""
        message_id: UUID = message.head.msg_id  # type: ignore[attr-defined]  # every message in MESSAGES has a head
        await self.messenger.post(
            tx, message_id, recipient, path_of(api), body(message), expires_at=expires_at
        )
        return message_id
