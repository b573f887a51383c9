"""M6: whenever a process is killed, each order.created ends in one payment and each success in one payment.succeeded.

Real processes, killed by SIGKILL at named points (suuupra/failpoints.py), on real PostgreSQL and Kafka.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from services.commerce.contract import OrderCreated
from services.payments.clients.keys import ring_of
from services.payments.clients.rails import RailBook
from services.payments.contract import RailRegistration
from services.payments.settings import Settings
from services.payments.store import payments as store
from services.payments.tests.bus import TOPICS, message, send
from services.payments.tests.conftest import MINOR, order_created
from services.payments.tests.people import Person, made
from services.payments.tests.process import started
from services.payments.tests.receiver import receiving
from services.payments.tests.recorded import RAIL, RecordedSwitch
from services.payments.usecases import orders, rails
from services.upi_core.contract import Api
from suuupra.clock import FakeClock, SystemClock
from suuupra.db import Database, DatabaseUnavailable
from suuupra.settings import load
from suuupra.signatures import public_jwks
from suuupra.testing.issuer import Issuer
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration
ORDERS = 12


@pytest_asyncio.fixture
async def environment(environment: dict[str, str], kafka: KafkaServer, topics: Topics) -> dict[str, str]:
    """A pod's environment with Kafka; the consumer group is the test's own, so that it starts from nothing."""
    for topic in TOPICS:
        await topics.create(topic)
    name = f"payments-{uuid4().hex[:8]}"
    return {**environment, "SUUUPRA_KAFKA_BOOTSTRAP": kafka.bootstrap, "SUUUPRA_NAME": name}


def orders_of(learner: UUID, number: int = ORDERS) -> list[OrderCreated]:
    return [order_created(learner, FakeClock(SystemClock().now())) for _ in range(number)]


async def create(kafka: KafkaServer, orders: Sequence[OrderCreated]) -> None:
    await send(kafka.bootstrap, [message(it, it.order_id, 1) for it in orders])


async def counted(database: Database, table: str, where: str = "true") -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table} WHERE {where}")) or 0)


async def reaches(database: Database, wanted: int, table: str, where: str = "true") -> None:
    async def enough() -> bool:
        try:
            return await counted(database, table, where) >= wanted
        except DatabaseUnavailable:  # no connection within a second, on a busy machine: it cannot tell yet
            return False

    await until(enough, limit=90)


async def everything_is_published(database: Database) -> None:
    async def empty() -> bool:
        try:
            return await counted(database, "outbox", "published_at IS NULL") == 0
        except DatabaseUnavailable:
            return False

    await until(empty, limit=90)


@pytest.mark.parametrize(
    ("failpoint", "committed"), [("payments.recorded", False), ("consumer.handled", True)]
)
async def test_m6_each_order_ends_in_one_payment(
    environment: dict[str, str], database: Database, kafka: KafkaServer, failpoint: str, committed: bool
) -> None:
    """Killed before the commit, and after it before the offset is committed."""
    created = orders_of(uuid4())
    await create(kafka, created)
    with started("work", environment, failpoint=failpoint) as doomed:
        assert await doomed.killed_itself()
    assert (await counted(database, "payment") > 0) is committed
    with started("work", environment):
        await reaches(database, ORDERS, "payment")
        later = orders_of(
            uuid4(), 30
        )  # each partition has one: what was delivered again before it is settled then
        await create(kafka, later)
        await reaches(database, ORDERS + 30, "payment")
    async with database.reading() as tx:
        found = (await tx.execute(text("SELECT order_id FROM payment"))).scalars()
        counts = Counter(found)
    assert {order.order_id for order in created} <= set(counts)
    assert max(counts.values()) == 1
    assert await counted(database, "payment_event", "type = 'created'") == ORDERS + 30


class Succeeding:
    """Payments that have been made, by a serve process that a switch talks to."""

    def __init__(self, environment: dict[str, str], database: Database, issuer: Issuer) -> None:
        self.environment = environment
        self.database = database
        self.clock = SystemClock()
        self.issuer = issuer
        self.switch = RecordedSwitch(self.clock)

    async def rail(self) -> None:
        """A rail that has taken us in; nobody is at its address."""
        settings = load(Settings)
        book = RailBook(settings)
        async with self.database.transaction() as tx:
            assert settings.keys is not None
            ring = ring_of(json.loads(settings.keys.get_secret_value()))
            wanted = RailRegistration.model_validate({**RAIL, "url": "http://127.0.0.1:9"})
            await rails.put(tx, book, ring, "upi", wanted, self.clock.now())
            await rails.registered(tx, "upi", public_jwks([self.switch.signer.key]), self.clock.now())

    async def begun(self, learner: UUID, number: int) -> list[UUID]:
        """Payments to be made."""
        events = orders_of(learner, number)
        async with self.database.transaction() as tx:
            await orders.begin(tx, events, self.clock.now())
            found = await store.of_orders(tx, [it.order_id for it in events])
        return list(found.values())


@pytest.fixture
def succeeding(
    environment: dict[str, str], database: Database, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> Succeeding:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return Succeeding(environment, database, issuer)


async def pay(it: Succeeding, learner: Person, payment: UUID) -> Any:
    """Have a payment authorised; the confirmation is for the caller to send."""
    shown = await learner.attempt(payment)
    return await it.switch.authorise(shown["attempt"]["reference"], MINOR)


@pytest.mark.parametrize("failpoint", ["relay.fetched", "relay.sent"])
async def test_m6_each_success_is_told_once(
    succeeding: Succeeding, database: Database, topics: Topics, failpoint: str
) -> None:
    """The relay is killed after the commit before it publishes, and after it published before it marks."""
    it, learner = succeeding, uuid4()
    await it.rail()
    payments = await it.begun(learner, 5)
    with started("serve", it.environment) as serving:
        await serving.ready()
        async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as http:
            it.switch.http = http
            person = Person(http, it.issuer, it.clock, id=learner)
            for payment in payments:
                await it.switch.confirm(await pay(it, person, payment))
    with started("work", it.environment, failpoint=failpoint) as doomed:
        assert await doomed.killed_itself()
    assert await counted(database, "outbox", "published_at IS NULL") == 5
    with started("work", it.environment):
        await everything_is_published(database)
    records = await topics.read("payment.succeeded", 5 if failpoint == "relay.fetched" else 10)
    told = {dict(record.headers)["ce_id"]: record.key.decode() for record in records}
    assert Counter(told.values()) == Counter(str(payment) for payment in payments), "one event each"


@pytest.mark.parametrize(("failpoint", "succeeded"), [("payments.recorded", 0), ("courier.sent", 1)])
async def test_m6_a_confirmation_in_hand_when_we_are_killed_counts_once(
    succeeding: Succeeding, database: Database, failpoint: str, succeeded: int
) -> None:
    """Killed before the commit of the success, and after it, while the answer to the rail is on its way."""
    it, learner = succeeding, uuid4()
    await it.rail()
    (payment,) = await it.begun(learner, 1)
    with started("serve", it.environment) as serving:
        await serving.ready()
        async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as http:
            it.switch.http = http
            asked = await pay(it, Person(http, it.issuer, it.clock, id=learner), payment)
    told = it.switch.confirmation(asked)
    async with database.transaction() as tx:  # what waits for the rail would be sent, and kill it, first
        await tx.execute(text("DELETE FROM rail_message"))
    with started("serve", it.environment, failpoint=failpoint) as doomed:
        async with httpx.AsyncClient(base_url=doomed.url, trust_env=False) as http:
            it.switch.http = http
            await _sent_to_the_doomed(it, told)
            assert await doomed.killed_itself()
    assert await counted(database, "payment", "status = 'succeeded'") == succeeded
    with started("serve", it.environment) as serving:
        await serving.ready()
        async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as http:
            it.switch.http = http
            for _ in range(3):
                answer = await it.switch.say(Api.REQ_TXN_CONFIRMATION, told)
                assert answer.json()["err"] is None
    assert await counted(database, "payment_event", "type = 'attempt_succeeded'") == 1
    assert await counted(database, "outbox", "type = 'payment.succeeded'") == 1


async def _sent_to_the_doomed(it: Succeeding, told: Any) -> None:
    async def sent() -> bool:
        try:
            await it.switch.say(Api.REQ_TXN_CONFIRMATION, told)
        except httpx.ConnectError:
            return False
        except httpx.TransportError:
            return True
        return True

    await until(sent, limit=90)


@pytest.mark.parametrize("failpoint", ["idempotency.effect", "idempotency.committed"])
async def test_m3_an_attempt_begun_when_we_are_killed_is_begun_once(
    succeeding: Succeeding, database: Database, failpoint: str
) -> None:
    it, learner = succeeding, uuid4()
    await it.rail()
    (payment,) = await it.begun(learner, 1)
    path, body = f"/v1/payments/{payment}/attempts", {"method": "upi_qr"}
    with started("serve", it.environment, failpoint=failpoint) as doomed:
        await doomed.ready()
        async with httpx.AsyncClient(base_url=doomed.url, trust_env=False) as http:
            person = Person(http, it.issuer, it.clock, id=learner)
            with pytest.raises(httpx.TransportError):
                await person.post(path, body, key="k")
            assert await doomed.killed_itself()
    with started("serve", it.environment) as serving:
        await serving.ready()
        async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as http:
            again = Person(http, it.issuer, it.clock, id=learner)
            answers = [made(await again.post(path, body, key="k")) for _ in range(3)]
    assert len({answer["upi_uri"] for answer in answers}) == 1
    assert await counted(database, "attempt") == 1


async def test_m6_a_webhook_that_was_sent_when_we_are_killed_comes_again_under_its_id(
    succeeding: Succeeding, database: Database
) -> None:
    it, learner = succeeding, uuid4()
    await it.rail()
    (payment,) = await it.begun(learner, 1)
    async with receiving() as receiver:
        with started("serve", it.environment) as serving:
            await serving.ready()
            async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as http:
                it.switch.http = http
                integrator = Person(http, it.issuer, it.clock, "payments:webhooks")
                wanted = {"url": receiver.url, "events": ["payment.succeeded"]}
                secret = made(await integrator.post("/v1/webhook-endpoints", wanted))["secret"]
                asked = await pay(it, Person(http, it.issuer, it.clock, id=learner), payment)
        async with database.transaction() as tx:  # what waits for the rail would be sent, and kill it, first
            await tx.execute(text("DELETE FROM rail_message"))
        with started("serve", it.environment, failpoint="courier.sent") as doomed:
            async with httpx.AsyncClient(base_url=doomed.url, trust_env=False) as http:
                it.switch.http = http
                await _sent_to_the_doomed(it, it.switch.confirmation(asked))
                assert await doomed.killed_itself()
        async with database.transaction() as tx:  # so as not to wait for the lease of the one that died
            await tx.execute(text("UPDATE webhook_delivery SET next_at = now() - interval '1 hour'"))
        with started("serve", it.environment):
            await reaches(database, 1, "webhook_delivery", "state = 'delivered'")
        assert {it.headers["webhook-id"] for it in receiver.came} == {receiver.came[0].headers["webhook-id"]}
        assert receiver.verified(secret)["data"]["payment_id"] == str(payment)
