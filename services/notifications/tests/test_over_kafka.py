"""Through a real Kafka: every event three times, shuffled, with a stranger's poison among them; one mail each."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from services.notifications.consumers import consumers
from services.notifications.settings import Settings
from services.notifications.tests.happenings import Learner
from services.notifications.usecases.sending import Desk
from services.notifications.workers import Postman
from suuupra.clock import FakeClock
from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.running import Runnable
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.smtp import MailServer
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration


@asynccontextmanager
async def running(*runnables: Runnable) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(runnable.run()) for runnable in runnables]
    try:
        yield
    finally:
        for runnable in runnables:
            await runnable.stop()
        await asyncio.gather(*tasks)


async def test_shuffled_duplicates_never_mail_twice(
    settings: Settings,
    desk: Desk,
    kafka: KafkaServer,
    topics: Topics,
    mail_server: MailServer,
    database: Database,
    clock: FakeClock,
) -> None:
    on_kafka = settings.model_copy(
        update={"kafka_bootstrap": kafka.bootstrap, "name": f"notifications-{uuid4().hex[:8]}"}
    )
    subscriptions = consumers(on_kafka, clock)
    for subscription in subscriptions:
        await topics.create(subscription.event.type, partitions=2)
    learners = [Learner() for _ in range(5)]
    # An order is paid or it expires; each order of events is one that an aggregate can have.
    happenings = [
        it
        for learner in learners
        for it in (learner.signed_up(), learner.payment_failed(), learner.paid(), learner.granted())
    ]
    happenings += [learner.course_published() for learner in learners]
    deliveries = happenings * 3
    random.Random(4).shuffle(deliveries)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        for happening in deliveries:
            await producer.send(happening.event.type, **happening.message())
        await producer.send("order.paid", key=b"x", value=b"poison")
        await producer.flush()
    finally:
        await producer.stop()
    async with running(Consumer(database, on_kafka, subscriptions), Postman(desk)):
        await mail_server.received(10, limit=90)
        await until(lambda: _settled(database, 5 * 4), limit=90)
        await until(lambda: _buried(topics))
    assert Counter(mail_server.recipients) == {learner.email: 2 for learner in learners}
    async with database.reading() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM notification")) == 5 * 4


async def _buried(topics: Topics) -> bool:
    return await topics.count("order.paid.dlt") == 1


async def _settled(database: Database, mails: int) -> bool:
    """Every mail has come to its end."""
    async with database.reading() as tx:
        done = await tx.scalar(text("SELECT count(*) FROM mail WHERE state IN ('sent', 'off')"))
    return bool(done == mails)
