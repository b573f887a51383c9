"""M8: events twice and shuffled, and one that is a day late; one poison in a thousand."""

import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from services.commerce.contract import OrderCanceled, OrderExpired
from services.payments.consumers import consumers
from services.payments.settings import Settings
from services.payments.tests.bus import TOPICS, message, send
from services.payments.tests.conftest import order_created
from suuupra.clock import FakeClock
from suuupra.consuming import Consumer
from suuupra.db import Database, DatabaseUnavailable
from suuupra.settings import load
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.waiting import until
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration
ORDERS = 300
DLT = "order.created.dlt"


@pytest_asyncio.fixture
async def bus_settings(
    environment: dict[str, str], kafka: KafkaServer, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    for topic in TOPICS:
        await topics.create(topic)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return load(Settings, kafka_bootstrap=kafka.bootstrap, name=f"payments-{uuid4().hex[:8]}")


def stories(clock: FakeClock) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The messages of many orders, and how each order's payment must end; everything is a day old."""
    old = FakeClock(clock.now() - timedelta(hours=24))
    messages, ends = [], {}
    for number in range(ORDERS):
        order = order_created(uuid4(), old)
        messages.append(message(order, order.order_id, 1))
        about = {"order_id": order.order_id, "number": order.number, "user_id": order.user_id}
        if number % 3 == 1:
            expired = OrderExpired(**about, expired_at=old.now())
            messages.append(message(expired, order.order_id, 2, order_created=1))
        if number % 3 == 2:
            canceled = OrderCanceled(**about, canceled_at=old.now())
            messages.append(message(canceled, order.order_id, 2, order_created=1))
        ends[str(order.order_id)] = "canceled" if number % 3 else "requires_payment_method"
    return messages, ends


async def test_m8_twice_and_shuffled_it_comes_out_the_same(
    bus_settings: Settings, database: Database, kafka: KafkaServer, topics: Topics, clock: FakeClock
) -> None:
    messages, ends = stories(clock)
    poison = message(order_created(uuid4(), clock).model_copy(update={"currency": "ABC"}), uuid4(), 1)
    shuffled = [*messages, *messages, *messages, poison]
    random.Random(8).shuffle(shuffled)
    await send(kafka.bootstrap, shuffled)

    async def settled() -> bool:
        try:
            async with database.reading() as tx:
                rows = (await tx.execute(text("SELECT order_id::text, status FROM payment"))).all()
        except DatabaseUnavailable:
            return False
        return dict(rows) == ends

    assert len(shuffled) > 1000, "one poison in a thousand"

    async def begun() -> bool:
        try:
            async with database.reading() as tx:
                return bool(await tx.scalar(text("SELECT count(*) FROM payment")))
        except DatabaseUnavailable:
            return False

    async with running(Consumer(database, bus_settings, consumers(bus_settings))):
        await until(begun, limit=90)
        async with running(Consumer(database, bus_settings, consumers(bus_settings))):  # and shares the work
            await until(settled, limit=120)
            await until(lambda: _buried(topics), limit=180)
            assert await _dead(topics) == {dict(poison["headers"])["ce_id"]}, "one event, and no other"
    async with database.reading() as tx:
        events = (await tx.execute(text("SELECT type, count(*) FROM payment_event GROUP BY type"))).all()
    assert dict(events) == {"created": ORDERS, "canceled": sum(it == "canceled" for it in ends.values())}


async def test_m8_the_end_of_an_order_waits_a_day_for_its_beginning(
    bus_settings: Settings, database: Database, kafka: KafkaServer, clock: FakeClock
) -> None:
    order = order_created(uuid4(), clock)
    about = {"order_id": order.order_id, "number": order.number, "user_id": order.user_id}
    expired = OrderExpired(**about, expired_at=clock.now())
    await send(kafka.bootstrap, [message(expired, order.order_id, 2, order_created=1)])

    async def answers(question: str, expected: object) -> None:
        async def so() -> bool:
            async with database.reading() as tx:
                return bool(await tx.scalar(text(question)) == expected)

        await until(so)

    async with running(Consumer(database, bus_settings, consumers(bus_settings, clock), clock=clock)):
        await answers("SELECT count(*) FROM inbox_parked", 1)
        await clock.until_sleeping(3)  # commits, sweeps and prunes
        clock.advance(timedelta(hours=24))
        await clock.until_sleeping(3)
        await send(kafka.bootstrap, [message(order, order.order_id, 1)])
        await answers("SELECT count(*) FROM inbox WHERE outcome = 'done'", 2)
        await answers("SELECT status FROM payment", "canceled")


async def _buried(topics: Topics) -> bool:
    return await topics.count(DLT) >= 1


async def _dead(topics: Topics) -> set[bytes]:
    """The events that were given up. One may lie there twice: dead letters are at least once, and its partition moves."""
    letters = await topics.read(DLT, await topics.count(DLT))
    return {dict(letter.headers)["ce_id"] for letter in letters}
