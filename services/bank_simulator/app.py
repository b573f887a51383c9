"""The process of a bank: its API, its timers, its courier, and its membership of the rail."""

from datetime import timedelta

import httpx
from fastapi import FastAPI
from joserfc.jwk import Key

from services.bank_simulator.api import accounts, rail
from services.bank_simulator.domain.seeds import of_bank
from services.bank_simulator.settings import Settings
from services.bank_simulator.usecases import timers
from services.bank_simulator.usecases.bank import Bank
from services.bank_simulator.usecases.joining import Membership
from services.upi_core.contract import JWKS_PATH, SWITCH, refusal_in
from suuupra import app, messages, sweeping
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database
from suuupra.errors import Unavailable
from suuupra.jwks import KeysUnavailable, PublishedKeys
from suuupra.keyring import DatabaseVault, Keyring
from suuupra.messages import Messenger
from suuupra.resources import Resource
from suuupra.schedule import Scheduler
from suuupra.signatures import Verifier

_DESCRIPTION = (
    "A bank of the rail: accounts that are debited and credited once per transaction, and statements."
)


def create_app(
    settings: Settings, *, clock: Clock | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> FastAPI:
    """Everything wired, nothing connected. `transport` replaces the network to the switch."""
    time = clock or SystemClock()
    database = Database.of(settings)
    keys = _SwitchKeys(settings.url_upi_core, time, transport)

    async def switch(recipient: str) -> str | None:
        return settings.url_upi_core if recipient == SWITCH else None

    keyring = Keyring(DatabaseVault(database, time), settings.code)
    messenger = Messenger(database, keyring.signer, switch, time, refusal=refusal_in, transport=transport)
    means = Bank.of(settings.code, settings.title, messenger, keyring, settings.bank, time)
    membership = Membership(
        database,
        means,
        of_bank(settings.accounts, settings.code),
        switch=settings.url_upi_core,
        url=settings.address,
        transport=transport,
    )
    forgotten = messages.ages(timedelta(days=settings.message_days))
    handlers = {**timers.handlers(means), sweeping.KIND: sweeping.handler(forgotten, time)}
    resources: list[Resource] = [database, keys, messenger]
    bank = app.create(
        settings,
        rail.router,
        accounts.router,
        resources=resources,
        runnables=[messenger.courier, Scheduler(database, handlers, time), membership],
        clock=time,
        description=_DESCRIPTION,
    )
    bank.state.bank, bank.state.membership = means, membership
    bank.state.verifier = Verifier(keys.find)
    return bank


class _SwitchKeys:
    """The switch's keys, read from where it publishes them. A resource of the application."""

    name = "switch-keys"

    def __init__(self, switch: str, clock: Clock, transport: httpx.AsyncBaseTransport | None) -> None:
        self._keys = PublishedKeys(f"{switch}{JWKS_PATH}", clock, transport)

    async def open(self) -> None:
        """They are read when the first message comes: the switch may start later."""

    async def close(self) -> None:
        await self._keys.close()

    async def check(self) -> None:
        """Never a reason to be unready: without the switch there are no messages either."""

    async def find(self, sender: str, kid: str) -> Key | None:
        """The key of that id, if it is the switch that signs."""
        if sender != SWITCH:
            return None
        try:
            return await self._keys.find(kid)
        except KeysUnavailable as error:
            raise Unavailable(
                "The switch's keys cannot be read right now.", headers={"Retry-After": "1"}
            ) from error
