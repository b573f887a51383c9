"""The money's side beside `platform`: the switch, two banks and the ledger, all real, in this process.

Every message between them takes some milliseconds of the test's clock, so that a story has times.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from services.web.tests.conftest import ORIGIN
from services.web.tests.people import token_of
from services.web.tests.platform import RAIL, Platform, judge_by
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.secrets_store import SecretsStore
from suuupra.testing.objects import ACCESS_KEY, SECRET_KEY, ObjectsServer
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.secrets import MemorySecrets

BANKS = ("asha", "banyan")
PAYER, PIN = "meera@banyan", "1234"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
HOP_SECONDS = 0.004
RARELY = 1_000_000
"""Seconds between heartbeats, which no test here is about."""


class Slow(httpx.AsyncBaseTransport):
    """A network on which every request takes time."""

    def __init__(self, network: httpx.AsyncBaseTransport, clock: FakeClock) -> None:
        self._network, self._clock = network, clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on, a little later."""
        self._clock.advance(HOP_SECONDS)
        return await self._network.handle_async_request(request)


@dataclass
class Rail:
    """What moves money, on a platform."""

    world: Platform
    phone: httpx.AsyncClient

    async def settle(self) -> None:
        """Until nobody has anything to say, and every event has arrived."""
        while True:
            delivered, before = await self._deliver(), len(self.world.carried)
            await self.world.carry()
            if not delivered and before == len(self.world.carried):
                return

    async def _deliver(self) -> bool:
        """Every message that is due, or on its way; whether there was any."""
        couriers = [
            it for app in self.world.apps.values() for it in app.state.runnables if hasattr(it, "deliver_due")
        ]
        due = sum([await courier.deliver_due() for courier in couriers])
        busy = [task for courier in couriers for task in _tasks(courier)]
        if busy:
            await asyncio.wait(busy)
        return bool(due or busy)

    async def pay(self, link: str, pin: str = PIN) -> None:
        """Open a link on the payer's phone and approve it."""
        opened = await self.phone.post(
            "/phone/requests", data={"link": link, "payer": PAYER}, headers=SAME_ORIGIN
        )
        assert opened.status_code == 303, opened.text
        self.world.clock.advance(2.5)  # to type the PIN
        page = f"{opened.headers['location']}/approve"
        approved = await self.phone.post(page, data={"pin": pin}, headers=SAME_ORIGIN)
        assert approved.status_code == 303, approved.text
        await self.settle()

    async def refund(self, order: UUID) -> None:
        """Finance gives all of an order back."""
        self.world.clock.advance(60)
        token = await token_of(self.world, "finance")
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"refund-{order}"}
        async with httpx.AsyncClient(
            transport=self.world.network, base_url="http://commerce:8000"
        ) as finance:
            answer = await finance.post(f"/v1/orders/{order}/refunds", headers=headers)
        assert answer.status_code == 201, answer.text
        await self.settle()


def _tasks(courier: Any) -> list[asyncio.Task[None]]:
    """What a courier is about; payments has one of its own kind."""
    own = [*getattr(courier, "_tasks", ()), *getattr(courier, "_running", ())]
    ending = getattr(courier, "_ending", None)
    return [*own, ending] if ending else own


@asynccontextmanager
async def rail(world: Platform, postgres: PostgresServer, objects: ObjectsServer) -> AsyncIterator[Rail]:
    """The switch, two banks and the ledger, until the block ends."""
    slow = Slow(world.network, world.clock)
    async with AsyncExitStack() as stack:

        def database(service: str) -> str:
            name = postgres.create(Schema.of(service))
            stack.callback(postgres.drop, name)
            return postgres.url(name)

        async def start(host: str, service: str, told: Any, **given: Any) -> FastAPI:
            package = f"services.{service.replace('-', '_')}.app"
            app: FastAPI = importlib.import_module(package).create_app(told, clock=world.clock, **given)
            judge_by(app, world.clock)
            await stack.enter_async_context(app.router.lifespan_context(app))
            world.apps[host] = app
            world.network.services[host] = httpx.ASGITransport(app)
            return app

        rules = {"heartbeatEvery": RARELY}
        told = world.more("upi-core", database_url=database("upi-core"), rulebook=rules)
        await start("upi-core", "upi-core", told, transport=slow)
        for code in BANKS:
            bank = {"code": code, "name": f"{code.title()} Bank"}
            told = world.more(
                "bank-simulator", name=f"bank-{code}", database_url=database("bank-simulator"), bank=bank,
                url_upi_core="http://upi-core:8000", self_url=f"http://bank-{code}:8000",
            )  # fmt: skip
            app = await start(f"bank-{code}", "bank-simulator", told, transport=slow)
            stack.push_async_callback(app.state.membership._client.aclose)
            assert await app.state.membership.once()
        books = database("ledger")
        files = {
            "objects_endpoint": objects.endpoint, "objects_access_key": ACCESS_KEY,
            "objects_secret_key": SECRET_KEY, "buckets": {"checkpoints": objects.bucket().bucket},
        }  # fmt: skip
        world.settings["ledger"] = world.more("ledger", database_url=books, **files)
        await start("ledger", "ledger", world.settings["ledger"], secrets=SecretsStore(MemorySecrets()))
        world.databases["ledger"] = Database(books, application="test", pool_size=3)
        stack.push_async_callback(world.databases["ledger"].close)
        phone = await stack.enter_async_context(
            httpx.AsyncClient(transport=slow, base_url="http://upi-core:8000")
        )
        made = Rail(world, phone)
        world.hop_seconds = HOP_SECONDS
        await _join(made)
        yield made


async def _join(made: Rail) -> None:
    """Payments takes part, and knows it."""
    told = {
        **RAIL,
        "participants": [{"code": code, "name": f"{code.title()} Bank"} for code in BANKS],
        "settlement": "asha",
    }
    path = "/internal/v1/rails/upi"
    async with httpx.AsyncClient(
        transport=made.world.network, base_url=ORIGIN.replace("localhost", "payments")
    ) as own:
        assert (await own.put(path, json=told)).is_success
        await made.settle()
        for _ in range(5):
            shown = (await own.get(path)).json()
            if shown["registered_at"]:
                return
            assert (await own.put(path, json=told)).is_success
            await made.settle()
    raise AssertionError(shown)
