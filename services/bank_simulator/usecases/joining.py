"""A bank opens with the accounts it was given, and takes part in the rail: it says so until the switch knows."""

import asyncio
from collections.abc import Sequence
from typing import Final

import httpx

from services.bank_simulator.contract import NewAccount
from services.bank_simulator.domain.seeds import Seed
from services.bank_simulator.store import accounts
from services.bank_simulator.usecases import accounts as usecases
from services.bank_simulator.usecases.bank import Bank
from services.upi_core.contract import Account, Address, Registration
from suuupra import logs
from suuupra.db import Database, DatabaseUnavailable
from suuupra.halting import Haltable
from suuupra.telemetry import http_client

AGAIN_SECONDS: Final = 60.0
"""How often a bank says again that it takes part: how long a switch that lost it goes without."""
SOON_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0

_log = logs.get_logger(__name__)


async def open_seeds(database: Database, bank: Bank, seeds: Sequence[Seed]) -> int:
    """Open the accounts that are not there yet; how many."""
    opened = 0
    for seed in seeds:
        new = NewAccount(
            number=seed.number,
            name=seed.name,
            kind=seed.kind,
            vpa=seed.vpa,
            pin=seed.pin,
            opening_minor=seed.minor,
            demo=seed.kind == "customer",
        )
        async with database.transaction() as tx:
            if await accounts.find(tx, new.number) is None:
                await usecases.open_account(tx, bank, new)
                opened += 1
    return opened


async def registration(database: Database, bank: Bank, url: str) -> Registration:
    """What the bank says of itself: its keys, and the payment addresses of its customers."""
    async with database.reading() as tx:
        everyone = await accounts.everyone(tx)
    addresses = [
        Address(
            vpa=one.vpa,
            name=one.name,
            type="ENTITY" if one.kind == "merchant" else "PERSON",
            account=Account(bank=bank.code, number=one.number),
            demo=one.demo,
        )
        for one in everyone
        if one.vpa
    ]
    key = await bank.keyring.encryption()
    return Registration(
        name=bank.title,
        kind="bank",
        url=url,
        jwks=await bank.keyring.jwks(),
        encryption=dict(key.as_dict(private=False)),
        handle=bank.code.replace("-", ""),
        addresses=addresses,
    )


class Membership:
    """A task that opens the seeded accounts and keeps the bank registered."""

    name = "membership"

    def __init__(
        self,
        database: Database,
        bank: Bank,
        seeds: Sequence[Seed],
        *,
        switch: str,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._database = database
        self._bank = bank
        self._seeds = seeds
        self._url = url
        self._client = http_client(switch, timeout=ANSWER_SECONDS, transport=transport)
        self._halt = Haltable(grace=1.0)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Register, and again every minute."""
        try:
            await self._halt.run(self._belonging())
        finally:
            await self._client.aclose()

    async def stop(self) -> None:
        self._halt.halt()

    def health(self) -> str | None:
        """Always well: a bank whose switch is away has work to do all the same."""
        return None

    def changed(self) -> None:
        """An account was opened: tell the switch its address now."""
        self._changed.set()

    async def once(self) -> bool:
        """Open what is to be opened and register; whether the switch knows now."""
        try:
            await open_seeds(self._database, self._bank, self._seeds)
            await self._register()
        except (DatabaseUnavailable, httpx.HTTPError) as error:
            _log.warning("not registered with the switch", error=f"{type(error).__name__}: {error}")
            return False
        return True

    async def _register(self) -> None:
        path = f"/internal/v1/participants/{self._bank.code}"
        body = (await registration(self._database, self._bank, self._url)).model_dump_json().encode()
        signer = await self._bank.keyring.signer()
        headers = signer.sign("PUT", path, body, self._bank.clock.now())
        headers["content-type"] = "application/json"
        response = await self._client.put(path, content=body, headers=headers)
        if not response.is_success:
            _log.warning("the switch refuses the registration", answer=response.text[:300])
        response.raise_for_status()

    async def _belonging(self) -> None:
        while True:
            self._changed.clear()
            registered = await self.once()
            await self._pause(AGAIN_SECONDS if registered else SOON_SECONDS)

    async def _pause(self, seconds: float) -> None:
        waits = [
            asyncio.ensure_future(self._bank.clock.sleep(seconds)),
            asyncio.ensure_future(self._changed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
