"""Commerce, really killed (SIGKILL) where a checkout or its relay may die: an order is made once, and told once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from services.commerce.settings import Settings
from services.commerce.tests.people import Person, ok
from services.commerce.tests.shop import Shop
from services.commerce.tests.test_delivery import CONSUMED
from suuupra.clock import FakeClock, SystemClock
from suuupra.db import Database, DatabaseUnavailable
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.waiting import until
from suuupra.testing.worker import killed_itself, serving, working

pytestmark = pytest.mark.integration

ORDERS = 5
PUBLISHED = ("order.created", "order.canceled")


@pytest.fixture
def clock() -> FakeClock:
    """The machine's time, as the worker has it: no order is overdue when it starts."""
    return FakeClock(SystemClock().now())


@pytest.fixture
async def pod(
    commerce_settings: Callable[..., Settings], kafka: KafkaServer, topics: Topics
) -> dict[str, str]:
    """A worker's environment with Kafka; the consumer group is the test's own, so that it starts from nothing."""
    for topic in (*PUBLISHED, *(event.type for event in CONSUMED)):
        await topics.create(topic)
    return {"SUUUPRA_KAFKA_BOOTSTRAP": kafka.bootstrap, "SUUUPRA_NAME": f"commerce-{uuid4().hex[:8]}"}


async def waiting(database: Database) -> int:
    """Events that the outbox holds and that it does not know to be in Kafka."""
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM outbox WHERE published_at IS NULL")) or 0)


async def all_is_published(database: Database) -> None:
    async def none_waits() -> bool:
        try:
            return await waiting(database) == 0
        except DatabaseUnavailable:  # no connection within a second, on a busy machine: it cannot tell yet
            return False

    await until(none_waits, limit=90)


@pytest.mark.parametrize(("failpoint", "sent"), [("relay.fetched", 1), ("relay.sent", 2)])
async def test_m6_each_order_is_told_once_when_the_worker_is_killed(
    shop: Shop,
    learner: Person,
    database: Database,
    pod: dict[str, str],
    topics: Topics,
    failpoint: str,
    sent: int,
) -> None:
    """Killed after the commit before it publishes, and after it published before it marks.

    Each order.created is in Kafka under one id and one sequence, however often: the inbox of payments, which knows
    it by them, makes one payment of it.
    """
    orders = [await learner.order(await shop.variant()) for _ in range(ORDERS)]
    ok(await learner.post(f"/v1/orders/{orders[0]['id']}/cancel"))
    with working("commerce", pod, failpoint=failpoint) as doomed:
        assert await killed_itself(doomed)
    assert await waiting(database) == ORDERS + 1
    with working("commerce", pod):
        await all_is_published(database)
    created = await topics.read("order.created", ORDERS * sent)
    told = {_name(record): record.key.decode() for record in created}
    assert Counter(told.values()) == Counter(order["id"] for order in orders), "one event each"
    canceled = await topics.read("order.canceled", sent)
    assert len({_name(record) for record in canceled}) == 1
    assert {record.key.decode() for record in canceled} == {orders[0]["id"]}


@pytest.mark.parametrize(("failpoint", "made"), [("idempotency.effect", 0), ("idempotency.committed", 1)])
async def test_m6_a_checkout_that_is_killed_and_asked_for_again_is_one_order_told_once(
    shop: Shop,
    learner: Person,
    database: Database,
    pod: dict[str, str],
    topics: Topics,
    failpoint: str,
    made: int,
) -> None:
    """Killed before the checkout commits, and after it before it answers; the buyer sends the same request again."""
    body = {"cart_id": (await learner.cart(await shop.variant()))["id"]}
    with serving("commerce", pod, failpoint=failpoint) as doomed:
        async with httpx.AsyncClient(base_url=doomed.url, trust_env=False, timeout=30) as http:
            await doomed.answers(http)
            with pytest.raises(httpx.TransportError):
                await replace(learner, client=http).post("/v1/orders", body, key="one")
        assert await killed_itself(doomed.process)
    assert await waiting(database) == made

    async def again() -> dict[str, Any] | None:
        answer = await learner.post("/v1/orders", body, key="one")
        return None if answer.status_code == 409 else ok(answer)  # until PostgreSQL has seen who died

    order = await until(again)
    assert order is not None
    with working("commerce", pod):
        await all_is_published(database)
    (created,) = await topics.read("order.created", await topics.count("order.created"))
    assert created.key.decode() == order["id"]


def _name(record: Any) -> tuple[bytes, bytes]:
    """What an inbox knows an event by."""
    headers = dict(record.headers)
    return headers["ce_id"], headers["ce_sequence"]
