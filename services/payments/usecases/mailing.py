"""Messages to rails on their way: which are due, what comes of sending them, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Gauge

from services.payments.clients.keys import Keys
from services.payments.clients.rails import RailBook
from services.payments.clients.switch import Reply, Switches
from services.payments.clients.upi import REGISTRATION, keys_of
from services.payments.contract import RailRegistration
from services.payments.store import rails as store
from services.payments.store.tables import MessageRow
from services.payments.usecases import rails, upi, verifying
from services.payments.usecases.changing import Change
from services.upi_core.contract import Api
from suuupra.db import Database, Transaction

FIRST_PAUSE: Final = timedelta(seconds=0.5)
LONGEST_PAUSE: Final = timedelta(minutes=5)
LOOK_ROUND: Final = timedelta(minutes=1)
"""How often is looked for what nobody says: switches to be told again, transactions without an answer."""

_backlog: Final = Gauge(
    "suuupra_payments_rail_backlog_seconds", "Age of the oldest message to a rail that must get through."
)
_unanswered: Final = Gauge(
    "suuupra_payments_unanswered_seconds",
    "How long ago the rail's time for questions about the oldest open attempt or refund ended.",
    ["of"],
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with the address of its switch."""

    message: MessageRow
    url: str


class RailPost:
    """What the courier needs to know of messages to rails (suuupra.courier)."""

    name = "rails"
    channel = store.WAITING

    def __init__(
        self, book: RailBook, keys: Keys, switches: Switches, initial: Mapping[str, RailRegistration]
    ) -> None:
        self._book = book
        self._keys = keys
        self._switches = switches
        self._initial = dict(initial)
        self._looked: datetime | None = None

    async def claim(self, tx: Transaction, now: datetime, limit: int) -> Sequence[Letter]:
        """Due messages; what nobody needs any more is put aside. The first time, rails of the environment join."""
        await self._enrol(tx, now)
        await self._look_round(tx, now)
        letters: list[Letter] = []
        for message in await store.claim(tx, now, limit):
            if message.useless_after is not None and now > message.useless_after:
                message.state, message.settled_at = "useless", now
            else:
                letters.append(await self._letter(tx, message))
        _, oldest = await store.backlog(tx)
        _backlog.set(0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
        return letters

    async def _letter(self, tx: Transaction, message: MessageRow) -> Letter:
        row = await store.rail(tx, message.rail)
        return Letter(message, RailRegistration.model_validate(row.registration).url if row else "")

    async def _enrol(self, tx: Transaction, now: datetime) -> None:
        while self._initial:
            name, wanted = next(iter(self._initial.items()))
            await rails.put(tx, self._book, await self._keys.ring(), name, wanted, now)
            del self._initial[name]

    async def _look_round(self, tx: Transaction, now: datetime) -> None:
        if self._looked is None or now - self._looked >= LOOK_ROUND:
            self._looked = now
            await rails.renew(tx, self._book, await self._keys.ring(), now)
            for of, seconds in (await verifying.unanswered(tx, self._book, now)).items():
                _unanswered.labels(of).set(seconds)

    async def next_due(self, tx: Transaction) -> datetime | None:
        return await store.next_due(tx)

    async def deliver(self, letter: Letter) -> Reply:
        """Sign and send."""
        it = letter.message
        return await self._switches.send(letter.url, it.api, it.method, it.path, it.body)

    async def settle(self, database: Database, letter: Letter, result: Reply, now: datetime) -> bool:
        """Note what came of it, and what follows."""
        async with database.transaction() as tx:
            await self._note(tx, letter, result, now)
        return result.kind == "later"

    async def _note(self, tx: Transaction, letter: Letter, result: Reply, now: datetime) -> None:
        if result.kind == "acknowledged":
            await store.acknowledged(tx, letter.message.id, now)
            if letter.message.api == REGISTRATION:
                await rails.registered(tx, letter.message.rail, keys_of(result.body), now)
            return
        message = await store.lock_message(tx, letter.message.id)
        if message is None:
            return
        match result.kind:
            case "refused":
                message.state, message.settled_at, message.trouble = "refused", now, result.detail
                if message.api == Api.REQ_PAY:
                    rail = await self._book.upi(tx, message.rail)
                    await upi.refused(Change(tx, self._book, now), rail, message.body, result.detail)
            case "later":
                message.trouble = result.detail[:300]
                message.next_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(message.attempts - 1, 20))
                if message.api == REGISTRATION:
                    await rails.troubled(tx, message.rail, message.trouble)
