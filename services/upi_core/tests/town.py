"""A whole rail inside the test: the switch, three banks, a merchant's PSP, one clock, and real databases."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.upi_core.contract import SWITCH
from services.upi_core.tests.merchant import CODE, Merchant
from services.upi_core.tests.mesh import Mesh
from suuupra import discovery
from suuupra.clock import FakeClock
from suuupra.courier import Courier
from suuupra.db import Database
from suuupra.migrations import Schema
from suuupra.rounds import when_free
from suuupra.schedule import Scheduler
from suuupra.testing.issuer import Issuer
from suuupra.testing.postgres import PostgresServer

BANKS = ("asha", "banyan", "cedar")
PAYER = "meera@banyan"
POOR = "noor@cedar"
PIN = "1234"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}

NewDatabase = Callable[[str], str]
"""Service → the URL of a new database with its schema."""
With = Callable[..., AbstractAsyncContextManager["Town"]]
"""`town_with(rulebook, asha={…})`: a rail with these rules and banks of these profiles."""


@dataclass
class Town:
    clock: FakeClock
    mesh: Mesh
    switch: FastAPI
    banks: Mapping[str, FastAPI]
    merchant: Merchant
    http: httpx.AsyncClient = field(init=False)
    """A browser, and whoever calls the switch."""

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(transport=self.mesh, base_url="http://upi-core")

    @property
    def apps(self) -> list[FastAPI]:
        return [self.switch, *self.banks.values()]

    async def settle(self) -> None:
        """Until nobody has anything to say."""
        while True:
            couriers = [_runnable(app, Courier) for app in self.apps]
            busy = [courier for courier in couriers if courier.in_hand]
            if not busy and not self.merchant.tasks:
                return
            for courier in busy:
                await courier.settled()
            for task in list(self.merchant.tasks):
                await task
            await asyncio.sleep(0)  # what is done is taken off the list by the loop

    async def due(self) -> None:
        """Everything that is due now."""
        while True:
            done = 0
            for app in self.apps:
                done += await when_free(_runnable(app, Scheduler).handle_due)  # as in its rounds
                done += await _runnable(app, Courier).deliver_due()
            await self.settle()
            if not done:
                return

    async def later(self, seconds: float) -> None:
        """Let time pass: from one thing that is due to the next, each done before time goes on."""
        until = self.clock.now() + timedelta(seconds=seconds)
        await self.due()
        while (following := await self._next()) is not None and following <= until:
            self.clock.advance(max(following - self.clock.now(), timedelta(0)))
            await self.due()
        self.clock.advance(until - self.clock.now())
        await self.due()

    async def _next(self) -> datetime | None:
        """When something is due next, anywhere."""
        found: list[datetime] = []
        for app in self.apps:
            async with app.state.resources.get(Database).reading() as tx:
                found += [row[0] for row in await tx.execute(_NEXT) if row[0] is not None]
        return min(found, default=None)

    # The payer

    async def open(self, link: str, payer: str = PAYER, amount: str | None = None) -> str:
        """Open a link on the payer's phone; the address of the request's page."""
        form = {"link": link, "payer": payer} | ({"amount": amount} if amount else {})
        answer = await self.http.post("/phone/requests", data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def approve(self, page: str, pin: str = PIN) -> None:
        answer = await self.http.post(f"{page}/approve", data={"pin": pin}, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text

    async def pay(
        self, ref: str = "A1", minor: int = 49_900, payer: str = PAYER, pin: str = PIN
    ) -> dict[str, Any]:
        """Scan, approve, and let all that follows at once happen; the transaction."""
        await self.approve(await self.open(self.merchant.link(minor, ref), payer), pin)
        await self.settle()
        return (await self.tried(ref))[-1]

    # Looking

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def tried(self, ref: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.get(f"/internal/v1/transactions?ref_id={ref}"))["items"]
        return items

    async def story(self, txn_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/internal/v1/transactions/{txn_id}")
        return found

    async def bank(self, code: str, path: str) -> Any:
        async with httpx.AsyncClient(transport=self.mesh, base_url=f"http://bank-{code}") as client:
            answer = await client.get(f"/internal/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def balance(self, code: str, number: str) -> int:
        found = await self.bank(code, f"accounts/{number}")
        return int(found["balance"]["minor"])

    async def paid_by_meera(self) -> int:
        """Paise that left the payer's account."""
        return 250_000_00 - await self.balance("banyan", "BANYAN100001")

    async def got_by_merchant(self) -> int:
        return await self.balance("asha", "SUUUPRA001")

    async def assert_books(self, disputed: int = 0) -> None:
        """M1: every bank's entries add up to nothing, balances are their sums, and no money came or went."""
        customers = settlement = capital = 0
        for code in self.banks:
            books = await self.bank(code, "books")
            assert books["difference"]["minor"] == 0
            assert books["unfolded"] == []
            customers += books["customers"]["minor"] + books["fees"]["minor"]
            settlement += books["settlement"]["minor"]
            capital += books["capital"]["minor"]
        assert customers + settlement + capital == 0
        assert settlement == -disputed, "what banks owe the rail is what the rail owes banks"


_NEXT = text("""
SELECT min(next_at) FROM scheduled UNION ALL SELECT min(next_at) FROM message_out WHERE outcome IS NULL
""")
RARELY = 1_000_000
"""Seconds between heartbeats, where a test is not about them."""


def _runnable(app: FastAPI, kind: type[Any]) -> Any:
    return next(one for one in app.state.runnables if isinstance(one, kind))


def made(service: str, settings: Mapping[str, Any], clock: FakeClock, mesh: Mesh) -> FastAPI:
    """A service's application on the test's clock and network."""
    found = discovery.find(service)
    create: Any = importlib.import_module(f"{found.package}.app").create_app
    app: FastAPI = create(found.settings()(**settings), clock=clock, transport=mesh)
    return app


@asynccontextmanager
async def opened(
    new_database: NewDatabase,
    issuer: Issuer,
    *,
    rulebook: Mapping[str, Any] | None = None,
    profiles: Mapping[str, Mapping[str, Any]] | None = None,
    known: Town | None = None,
) -> AsyncIterator[Town]:
    """A town whose participants have joined. `profiles`: bank → what its BANK_PROFILE says.

    `known`: another one, in which all have joined, and of whose databases `new_database` gives copies.
    """
    clock, mesh = FakeClock(), Mesh()
    auth = {"issuer": issuer.issuer, "audience": issuer.audience, "jwks": json.dumps(issuer.jwks())}
    given = {
        "service": "upi-core",
        "database_url": new_database("upi-core"),
        "database_pool_size": 10,
        **auth,
    }
    switch = made(
        "upi-core", {**given, "rulebook": {"heartbeatEvery": RARELY, **(rulebook or {})}}, clock, mesh
    )
    banks = {
        code: made("bank-simulator", _bank(code, new_database, profiles or {}), clock, mesh) for code in BANKS
    }
    merchant = Merchant("http://upi-core", f"http://{CODE}", clock, mesh)
    for host, app in (
        ("upi-core", switch),
        (CODE, merchant.app),
        *((f"bank-{c}", b) for c, b in banks.items()),
    ):
        mesh.add(host, app)
    town = Town(clock, mesh, switch, banks, merchant)
    async with AsyncExitStack() as stack:
        for app in town.apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        stack.push_async_callback(merchant.close)
        stack.push_async_callback(town.http.aclose)
        for app in banks.values():
            stack.push_async_callback(app.state.membership._client.aclose)
        if known is None:
            await _join(town)
        else:
            await _remember(town, known)
        yield town


async def _join(town: Town) -> None:
    for app in town.banks.values():
        assert await app.state.membership.once()
    joined = await town.merchant.register()
    assert joined.status_code == 200, joined.text
    await town.due()


async def _remember(town: Town, known: Town) -> None:
    """What processes know once they have joined: the switch's keys, the merchant its own, and what was said."""
    town.merchant.take_over(known.merchant)
    town.mesh.sent += known.mesh.sent
    for app in town.banks.values():
        await app.state.verifier._find_key(SWITCH, "not a key")


@dataclass(frozen=True, slots=True)
class Copies:
    """A town that was left, and its databases in the order in which they are asked for."""

    names: Sequence[str]
    town: Town


async def founded(
    postgres: PostgresServer, issuer: Issuer, schemas: Callable[[str], Schema | None]
) -> Copies:
    """A town in which all have joined and nothing has happened, to be copied."""
    names: list[str] = []

    def make(service: str) -> str:
        names.append(postgres.create(schemas(service)))
        return postgres.url(names[-1])

    async with opened(make, issuer) as town:
        return Copies(names, town)


def _bank(code: str, new_database: NewDatabase, profiles: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "service": "bank-simulator",
        "name": f"bank-{code}",
        "database_url": new_database("bank-simulator"),
        "url_upi_core": "http://upi-core",
        "self_url": f"http://bank-{code}",
        "bank": {"code": code, "name": f"{code.title()} Bank", **profiles.get(code, {})},
    }
