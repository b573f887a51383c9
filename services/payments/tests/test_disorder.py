"""M8: events twice, shuffled and a day late, while partitions move; one poison in a thousand."""

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


async def test_m8_twice_and_shuffled_and_a_day_late_it_comes_out_the_same(
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
        async with running(
            Consumer(database, bus_settings, consumers(bus_settings))
        ):  # partitions move to it
            await until(settled, limit=120)
            await until(lambda: _buried(topics), limit=180)
            assert await _dead(topics) == {dict(poison["headers"])["ce_id"]}, "one event, and no other"
    async with database.reading() as tx:
        events = (await tx.execute(text("SELECT type, count(*) FROM payment_event GROUP BY type"))).all()
    assert dict(events) == {"created": ORDERS, "canceled": sum(it == "canceled" for it in ends.values())}


async def _buried(topics: Topics) -> bool:
    return await topics.count(DLT) >= 1


async def _dead(topics: Topics) -> set[bytes]:
    """The events that were given up. One may lie there twice: dead letters are at least once, and its partition moves."""
    letters = await topics.read(DLT, await topics.count(DLT))
    return {dict(letter.headers)["ce_id"] for letter in letters}
