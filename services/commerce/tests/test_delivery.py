"""Through a real Kafka: events twice, shuffled and late have their effect once (M8), and leave in the same way."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from services.commerce.consumers import consumers
from services.commerce.schedules import schedules
from services.commerce.settings import Settings
from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok
from services.commerce.tests.shop import Shop
from services.content.contract import CoursePublished, CourseUnpublished
from services.payments.contract import (
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    RefundFailed,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import FakeClock
from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.events import Event, schema_urn
from suuupra.running import Runnable
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.waiting import until
from suuupra.work import assemble

pytestmark = pytest.mark.integration

PARTITIONS = 3
CONSUMED = (
    *(CoursePublished, CourseUnpublished, PaymentSucceeded, PaymentFailed, PaymentRefunded),
    *(RefundFailed, SurplusReceived, SurplusReturned),
)


def message(event: Event, subject: UUID, sequence: int, after: dict[str, int]) -> dict[str, Any]:
    """The event as the relay of its service sends it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_type": event.type,
        "ce_source": "/services/payments",
        "ce_subject": str(subject),
        "ce_sequence": str(sequence),
        "ce_after": json.dumps(after),
        "ce_time": "2026-01-01T00:00:00+00:00",
        "ce_dataschema": schema_urn(event.type, event.version),
    }
    return {
        "key": str(subject).encode(),
        "value": event.model_dump_json().encode(),
        "headers": [(name, value.encode()) for name, value in headers.items()],
    }


async def send(bootstrap: str, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Write messages to their topics in the given order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for topic, one in messages:
            await producer.send_and_wait(topic, **one)
    finally:
        await producer.stop()


@asynccontextmanager
async def running(*runnables: Runnable) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(runnable.run()) for runnable in runnables]
    try:
        yield
    finally:
        for runnable in runnables:
            await runnable.stop()
        await asyncio.gather(*tasks)


@pytest.fixture
async def bus(topics: Topics, kafka: KafkaServer) -> str:
    """Kafka with the topics that commerce reads; its address."""
    for event in CONSUMED:
        await topics.create(event.type, partitions=PARTITIONS)
    return kafka.bootstrap


@pytest.fixture
def own_group(commerce_settings: Callable[..., Settings], bus: str) -> Settings:
    """The service under a name of its own, so that its consumer group starts from nothing."""
    return commerce_settings(kafka_bootstrap=bus, name=f"commerce-{uuid4().hex[:8]}")


@pytest.mark.parametrize("seed", [1, 2])
async def test_m8_payments_heard_twice_and_shuffled_pay_once_and_go_back_once(
    shop: Shop,
    learner: Person,
    database: Database,
    own_group: Settings,
    deliveries: Deliveries,
    clock: FakeClock,
    seed: int,
) -> None:
    orders = [await learner.order(await shop.variant()) for _ in range(6)]
    for order in orders[3:]:
        ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    messages: list[tuple[str, dict[str, Any]]] = []
    payments = [uuid4() for _ in orders]
    for order, payment_id in zip(orders, payments, strict=True):
        failed, paid = deliveries.failed(order, payment_id), deliveries.succeeded(order, payment_id)
        messages.append((failed.type, message(failed, payment_id, 1, {})))
        messages.append((paid.type, message(paid, payment_id, 2, {failed.type: 1})))
    failed_again = deliveries.failed(orders[0], payments[0])
    paid_again = deliveries.succeeded(orders[0], payments[0])
    back_again = deliveries.refunded(orders[0], payments[0], uuid4(), 49_900)
    follows = {failed_again.type: 1, paid_again.type: 2}
    messages.append((back_again.type, message(back_again, payments[0], 3, follows)))
    messages *= 2
    random.Random(seed).shuffle(messages)
    await send(own_group.kafka_bootstrap, messages)

    async def settled() -> bool:
        now = [await learner.order_now(order["id"]) for order in orders]
        ends = [one["payment"] for one in now] == ["succeeded"] * 3 + ["returned"] * 3
        return bool(ends and now[0]["status"] == "refunded")

    async def all_read() -> bool:
        async with database.reading() as tx:
            settled_events = await tx.scalar(text("SELECT count(*) FROM inbox WHERE outcome = 'done'"))
        return bool(settled_events == len(messages) // 2 + len(last))

    consumer = Consumer(database, own_group, consumers(own_group, clock), clock=clock)
    async with running(consumer):
        await until(settled)
        # Each partition is read in order: when its last event is settled, the doubles before it are too.
        last = [
            (event.type, {**message(event, uuid4(), 1, {}), "partition": partition})
            for event in (failed_again, paid_again, back_again)
            for partition in range(PARTITIONS)
        ]
        await send(own_group.kafka_bootstrap, last)
        await until(all_read)
    types = await deliveries.types()
    assert {name: types.count(name) for name in set(types)} == {
        "order.created": 6,
        "order.canceled": 3,
        "order.paid": 3,
        "entitlement.granted": 3,
        "refund.requested": 3,
        "order.refunded": 1,
        "entitlement.revoked": 1,
    }
    numbers = [str((await learner.order_now(one["id"]))["invoice_number"]) for one in orders[:3]]
    assert sorted(numbers) == [f"SU/25-26/{number:06d}" for number in range(1, 4)]


async def test_m8_a_refund_waits_a_day_for_its_payment_and_the_order_is_paid(
    shop: Shop,
    learner: Person,
    database: Database,
    own_group: Settings,
    deliveries: Deliveries,
    clock: FakeClock,
) -> None:
    order, payment_id = await learner.order(await shop.variant()), uuid4()
    paid = deliveries.succeeded(order, payment_id)
    back = deliveries.refunded(order, payment_id, uuid4(), 100)
    await send(own_group.kafka_bootstrap, [(back.type, message(back, payment_id, 2, {paid.type: 1}))])

    async def settled(outcome: str, count: int) -> None:
        async def so() -> bool:
            question = text("SELECT count(*) FROM inbox WHERE outcome = :outcome")
            async with database.reading() as tx:
                return bool(await tx.scalar(question, {"outcome": outcome}) == count)

        await until(so)

    async with running(Consumer(database, own_group, consumers(own_group, clock), clock=clock)):
        await settled("parked", 1)
        await clock.until_sleeping(3)  # commits, sweeps and prunes
        clock.advance(timedelta(hours=24))
        await clock.until_sleeping(3)
        await send(own_group.kafka_bootstrap, [(paid.type, message(paid, payment_id, 1, {}))])
        await settled("done", 2)
        assert (await learner.order_now(order["id"]))["status"] == "partially_refunded"


async def test_the_worker_publishes_orders_in_order_and_lets_them_expire(
    shop: Shop, learner: Person, own_group: Settings, topics: Topics, clock: FakeClock
) -> None:
    for topic in ("order.created", "order.canceled", "order.expired"):
        await topics.create(topic)
    order = await learner.order(await shop.variant())
    ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    # The worker's own clock is the machine's, years after the order's: what waits is overdue at once.
    late = await learner.order(await shop.variant())
    work = assemble(own_group, consumers(own_group), publishes=True, schedules=schedules(own_group))
    assert [one.name for one in work.runnables] == ["relay", "consumer", "scheduler"]
    async with running(*work.runnables):
        created = await topics.read("order.created", 2)
        canceled = await topics.read("order.canceled", 1)
        expired = await topics.read("order.expired", 1)
    await work.resources[0].close()
    assert {one.key.decode() for one in created} == {order["id"], late["id"]}
    assert canceled[0].key.decode() == order["id"]
    assert expired[0].key.decode() == late["id"]
