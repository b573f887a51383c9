"""Payments on real servers, the people who use it, and a rail whose messages a test says."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from services.commerce.contract import OrderCreated
from services.payments.app import create_app
from services.payments.clients import keys as keys_of_ours
from services.payments.clients.rails import RailBook
from services.payments.schedules import schedules
from services.payments.settings import Settings
from services.payments.store import payments as store
from services.payments.tests.people import Person
from services.payments.tests.recorded import RAIL, RecordedSwitch
from services.payments.usecases import orders
from services.payments.usecases.changing import Change
from suuupra import sweeping
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.schedule import Scheduler
from suuupra.settings import load
from suuupra.testing.issuer import AUDIENCE as DEFAULT_AUDIENCE
from suuupra.testing.issuer import ISSUER as DEFAULT_ISSUER
from suuupra.testing.issuer import Issuer

MINOR = 49_900


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Who signs the tests' tokens."""
    return Issuer.new(DEFAULT_ISSUER, DEFAULT_AUDIENCE)


@pytest.fixture
def environment(database_url: str, issuer: Issuer) -> dict[str, str]:
    """What the operator would put into a pod's environment; Kafka and OpenBao only where a test says so."""
    return {
        "SUUUPRA_SERVICE": "payments",
        "SUUUPRA_DATABASE_URL": database_url,
        "SUUUPRA_DATABASE_POOL_SIZE": "8",
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_OPENBAO_URL": "http://127.0.0.1:9",
        "SUUUPRA_OPENBAO_TOKEN": "unused",
        "SUUUPRA_KEYS": json.dumps(keys_of_ours.text_of(keys_of_ours.new_ring())),
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS": json.dumps(issuer.jwks()),
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The service's settings, read as a pod reads them."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return load(Settings)


@pytest.fixture
def switch(clock: FakeClock) -> RecordedSwitch:
    """The other end of the rail."""
    return RecordedSwitch(clock)


@pytest_asyncio.fixture
async def app(settings: Settings, clock: FakeClock, switch: RecordedSwitch) -> AsyncIterator[FastAPI]:
    """The application, started; its couriers deliver when a test says so."""
    started = create_app(settings, clock, switches=switch.transport())
    async with started.router.lifespan_context(started):
        yield started


@pytest_asyncio.fixture
async def http(app: FastAPI, switch: RecordedSwitch) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a token."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        switch.http = client
        yield client


@dataclass(slots=True)
class World:
    """All there is, in the words of the tests."""

    app: FastAPI
    http: httpx.AsyncClient
    settings: Settings
    database: Database
    clock: FakeClock
    switch: RecordedSwitch
    issuer: Issuer
    learner: Person
    finance: Person
    integrator: Person
    orders: list[OrderCreated] = field(default_factory=list)

    def person(self, scope: str = "") -> Person:
        """Somebody else."""
        return Person(self.http, self.issuer, self.clock, scope)

    async def order(self, minor: int = MINOR, tax: int = 7_612, **changes: Any) -> UUID:
        """An order of the learner's was created; its payment."""
        event = order_created(self.learner.id, self.clock, minor, tax, **changes)
        self.orders.append(event)
        async with self.database.transaction() as tx:
            await orders.begin(tx, [event], self.clock.now())
            return (await store.of_orders(tx, [event.order_id]))[event.order_id]

    async def deliver(self) -> None:
        """Send what is to be sent to the rail, and wait for what is being sent."""
        courier = self.app.state.rail_courier
        await courier.settled()
        await courier.deliver_due()

    async def deliver_webhooks(self) -> int:
        """Send what is due to webhook endpoints."""
        count: int = await self.app.state.webhook_courier.deliver_due()
        return count

    async def due(self) -> int:
        """Do what is due by the clock; sweeping, whose first time the server's clock says, has tests of its own."""
        handlers = dict(schedules(self.settings, self.clock))
        del handlers[sweeping.KIND]
        return await Scheduler(self.database, handlers, self.clock, parallel=1).handle_due()

    async def pass_time(self, **by: float) -> None:
        """Let time pass, do what is due, and send what comes of it."""
        self.clock.advance(timedelta(**by))
        await self.due()
        await self.deliver()

    def change(self, tx: Any) -> Change:
        """A change outside the API, as consumers make it."""
        return Change(tx, RailBook(self.settings), self.clock.now())

    async def pay(self, payment: UUID, minor: int = MINOR) -> Any:
        """Begin an attempt, have it authorised, and confirm that it succeeded; what the rail asked."""
        started = await self.learner.attempt(payment)
        asked = await self.switch.authorise(started["attempt"]["reference"], minor)
        await self.switch.confirm(asked)
        await self.deliver()
        return asked


def order_created(
    user: UUID, clock: FakeClock, minor: int = MINOR, tax: int = 7_612, **changes: Any
) -> OrderCreated:
    """The event of an order that waits 15 minutes."""
    now = clock.now()
    return OrderCreated(
        **{
            "order_id": uuid4(),
            "number": "S-1001",
            "user_id": user,
            "lines": [],
            "currency": "INR",
            "subtotal_minor": minor,
            "discount_minor": 0,
            "tax_minor": tax,
            "total_minor": minor,
            "created_at": now,
            "expires_at": now + timedelta(minutes=15),
            **changes,
        }
    )


@pytest_asyncio.fixture
async def world(
    app: FastAPI,
    http: httpx.AsyncClient,
    settings: Settings,
    database: Database,
    clock: FakeClock,
    switch: RecordedSwitch,
    issuer: Issuer,
) -> World:
    """Payments with a rail that has taken it in."""
    made = World(
        app,
        http,
        settings,
        database,
        clock,
        switch,
        issuer,
        learner=Person(http, issuer, clock),
        finance=Person(http, issuer, clock, "payments:refund orders:read"),
        integrator=Person(http, issuer, clock, "payments:webhooks"),
    )
    answer = await http.put("/internal/v1/rails/upi", json=RAIL)
    assert answer.status_code == 200, answer.text
    await made.deliver()
    return made


Count = Callable[..., Any]


@pytest.fixture
def count(database: Database) -> Count:
    """`await count("payment_event", "type = 'created'")`: how many rows."""

    async def rows(table: str, where: str = "true") -> int:
        async with database.reading() as tx:
            return int(await tx.scalar(text(f"SELECT count(*) FROM {table} WHERE {where}")) or 0)

    return rows
