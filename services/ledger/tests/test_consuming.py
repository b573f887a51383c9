"""Payments and refunds out of Kafka, on the real consumer: each is one journal, whatever is delivered how often."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from services.ledger.consumers import consumers
from services.ledger.settings import Settings
from services.ledger.tests.books import balances_of, head_of
from services.ledger.tests.events import (
    NOON,
    given_back,
    journals_reach,
    message,
    paid,
    paid_twice,
    payment,
    refund,
    scalar,
    send,
    surplus,
    surplus_back,
    taken_back,
    transfers,
)
from services.ledger.usecases import verifying
from services.ledger.usecases.verifying import Outside
from services.payments.contract import (
    PaymentRefunded,
    PaymentSucceeded,
    SurplusReceived,
    SurplusReturned,
)
from suuupra.clock import FakeClock
from suuupra.consuming import Consumer
from suuupra.db import Database, Transaction
from suuupra.events import Meta
from suuupra.ids import new_id
from suuupra.testing.kafka import KafkaServer, Topics
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until
from suuupra.testing.worker import killed_itself, working
from suuupra.tests.data.running import running, told_to_give_up

pytestmark = pytest.mark.integration

CLEARING, SALES = "assets:upi-clearing:INR", "revenue:courses:INR"
SURPLUS = "liabilities:surplus-payments:INR"
TAX, REFUNDS = "liabilities:gst-output:INR", "revenue:refunds:INR"


@pytest.fixture
def on_kafka(ledger_settings: Settings, kafka: KafkaServer) -> Settings:
    """Settings with the real bus, and a consumer group of the test's own."""
    return ledger_settings.model_copy(
        update={"kafka_bootstrap": kafka.bootstrap, "name": f"ledger-{uuid4().hex[:8]}"}
    )


def consumer(database: Database, settings: Settings) -> Consumer:
    return Consumer(database, settings, consumers(settings))


async def make_topics(topics: Topics, partitions: int = 3) -> None:
    await topics.create(PaymentSucceeded.type, partitions=partitions)
    await topics.create(PaymentRefunded.type, partitions=partitions)
    await topics.create(SurplusReceived.type, partitions=partitions)
    await topics.create(SurplusReturned.type, partitions=partitions)


async def assert_sound(database: Database) -> None:
    """M1, asked of the rows in SQL that shares nothing with our code; and everything else, of the verifier."""
    signed = "CASE e.side WHEN 'debit' THEN e.amount ELSE -e.amount END"
    async with database.reading() as tx:
        unequal = await tx.execute(
            text(f"SELECT currency, pending FROM entry e GROUP BY 1, 2 HAVING sum({signed}) <> 0")
        )
        assert unequal.all() == []
        folded = await tx.execute(
            text(f"""
            SELECT a.code FROM account a LEFT JOIN entry e ON e.account = a.code GROUP BY a.code
            HAVING a.debits <> coalesce(sum(e.amount) FILTER (WHERE e.side = 'debit' AND NOT pending), 0)
                OR a.credits <> coalesce(sum(e.amount) FILTER (WHERE e.side = 'credit' AND NOT pending), 0)
                OR a.debits - a.credits <> coalesce(sum({signed}) FILTER (WHERE NOT pending), 0)
            """)
        )
        assert folded.all() == []
        broken = await tx.execute(
            text("""
            SELECT code FROM account WHERE
                (CASE side WHEN 'debit' THEN debits - credits ELSE credits - debits END)
                NOT BETWEEN coalesce(minimum, -9e18::bigint) AND coalesce(maximum, 9e18::bigint)
            """)
        )
        assert broken.all() == []
    assert (await verifying.verify(database, Outside(None, None))).findings == []


async def test_m1_after_payments_and_refunds_the_books_balance(
    database: Database, on_kafka: Settings, topics: Topics
) -> None:
    await make_topics(topics)
    chance = random.Random(1)
    events: list[PaymentSucceeded] = [payment(chance.randint(1, 10**6), 0) for _ in range(200)]
    events += [payment(amount := chance.randint(2, 10**6), amount // 7) for _ in range(200)]
    events += [
        payment(chance.randint(1, 10**6), 0, currency=code)
        for code in ("JPY", "KWD", "CLF")
        for _ in range(9)
    ]
    back = [refund(it, it.amount_minor, it.tax_minor) for it in events[::5]]
    await send(on_kafka.kafka_bootstrap, [*map(paid, events), *map(given_back, back)])
    async with running(consumer(database, on_kafka)):
        await journals_reach(database, len(events) + len(back))
    await assert_sound(database)
    balances = await balances_of(database)
    rupees = [it for it in events if it.currency == "INR"]
    returned = [it for it in back if it.currency == "INR"]
    assert balances[CLEARING] == sum(it.amount_minor for it in rupees) - sum(
        it.amount_minor for it in returned
    )
    assert balances[TAX] == sum(it.tax_minor for it in rupees) - sum(it.tax_minor for it in returned)
    assert balances[REFUNDS] == sum(it.amount_minor - it.tax_minor for it in returned)


async def test_m4_a_reused_payment_id_with_other_content_is_a_dead_letter_and_changes_nothing(
    database: Database, on_kafka: Settings, topics: Topics
) -> None:
    await make_topics(topics, partitions=1)
    first = payment(49900, 7612)
    again = first.model_copy(update={"amount_minor": 49901})
    last = payment(100, 0)
    await send(on_kafka.kafka_bootstrap, [paid(first), message(again, first.payment_id, 2), paid(last)])
    async with running(consumer(database, on_kafka)):
        await journals_reach(database, 2)
        (letter,) = await topics.read(f"{PaymentSucceeded.type}.dlt", 1)
    assert any(b"id-reused" in value for _, value in letter.headers), letter.headers
    assert (await balances_of(database))[CLEARING] == 50000
    await assert_sound(database)


@pytest.mark.parametrize("failpoint", ["ledger.written", "consumer.handled"])
async def test_m6_a_worker_killed_before_commit_or_before_the_offset_posts_each_payment_once(
    database: Database, environment: dict[str, str], on_kafka: Settings, topics: Topics, failpoint: str
) -> None:
    """SIGKILL of the real process: with the journals written and not committed; and committed, the offset not."""
    await make_topics(topics, partitions=1)
    events = [payment(number, 0) for number in range(1, 51)]
    back = [refund(it, it.amount_minor, 0) for it in events[:10]]
    await send(on_kafka.kafka_bootstrap, [paid(it) for it in events])
    pod = {**environment, "SUUUPRA_KAFKA_BOOTSTRAP": on_kafka.kafka_bootstrap, "SUUUPRA_NAME": on_kafka.name}
    with working("ledger", pod, failpoint=failpoint) as process:
        assert await killed_itself(process)
    after_death = await transfers(database)
    assert (after_death == 0) == (failpoint == "ledger.written")
    await send(on_kafka.kafka_bootstrap, [given_back(it) for it in back])
    with working("ledger", pod):
        assert await journals_reach(database, 60) == 60
        later = payment(7, 0)
        await send(on_kafka.kafka_bootstrap, [paid(later)])
        assert await journals_reach(database, 61) == 61, "whatever was delivered before it is settled"
    await assert_sound(database)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_m7_a_replay_from_offset_0_leaves_the_head_hash_unchanged(
    database: Database,
    on_kafka: Settings,
    topics: Topics,
    postgres: PostgresServer,
    database_name: str,
    forgotten: bool,
) -> None:
    """Whether the inbox still knows the events, or has forgotten them as it does with old ones."""
    await make_topics(topics)
    events = [payment(number, 0) for number in range(1, 101)]
    back = [refund(it, it.amount_minor, 0) for it in events[:20]]
    twice = [surplus(it) for it in events[20:40]]
    await send(
        on_kafka.kafka_bootstrap, [*map(paid, events), *map(given_back, back), *map(paid_twice, twice)]
    )
    await send(on_kafka.kafka_bootstrap, [taken_back(surplus_back(it)) for it in twice[:10]])
    async with running(consumer(database, on_kafka)):
        await journals_reach(database, 150)
    before = await head_of(database)
    if forgotten:
        postgres.execute(database_name, "TRUNCATE inbox, inbox_progress, inbox_joined, inbox_parked")
    anew = on_kafka.model_copy(update={"name": f"replay-{uuid4().hex[:8]}"})
    async with running(consumer(database, anew)):
        await until(lambda: _committed(anew, topics))
    assert await head_of(database) == before
    for event in (PaymentSucceeded, PaymentRefunded, SurplusReceived, SurplusReturned):
        assert await topics.count(event.type) > 0, "there is something to replay"
        assert await topics.count(f"{event.type}.dlt") == 0
    await assert_sound(database)


async def _committed(settings: Settings, topics: Topics) -> bool:
    """Whether the group has committed the end of every partition that holds something."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, group_id=settings.name, enable_auto_commit=False
    )
    await reader.start()
    try:
        names = (PaymentSucceeded.type, PaymentRefunded.type, SurplusReceived.type, SurplusReturned.type)
        partitions = [TopicPartition(name, number) for name in names for number in range(3)]
        ends = await reader.end_offsets(partitions)
        reached = {it: await reader.committed(it) or 0 for it in partitions}
        return all(reached[it] >= end for it, end in ends.items())
    finally:
        await reader.stop()


async def test_m8_events_duplicated_and_shuffled_are_each_posted_once_at_their_own_time(
    database: Database, on_kafka: Settings, topics: Topics
) -> None:
    await make_topics(topics)
    events = [payment(number, 0, succeeded_at=NOON - timedelta(hours=24)) for number in range(1, 151)]
    back = [refund(it, it.amount_minor, 0) for it in events[:50]]
    messages = [*map(paid, events), *map(given_back, back)]
    random.Random(8).shuffle(messages)
    messages += random.Random(9).sample(messages, 100)
    await send(on_kafka.kafka_bootstrap, messages)
    async with running(consumer(database, on_kafka)):
        assert await journals_reach(database, 200) == 200
    assert await scalar(database, "SELECT count(*) FROM inbox_parked") == 0
    early = "SELECT count(*) FROM journal WHERE effective_at = :at AND kind = 'transfer'"
    assert await scalar(database, early, at=NOON - timedelta(hours=24)) == 150
    await assert_sound(database)


async def test_m8_what_goes_back_waits_a_day_for_what_came_and_is_no_dead_letter(
    database: Database, on_kafka: Settings, topics: Topics, clock: FakeClock
) -> None:
    """As when one topic takes no events while the others of the same payment do."""
    await make_topics(topics)
    one = payment()
    twice = surplus(one)
    came = [paid(one), message(twice, one.payment_id, 2, after={"payment.succeeded": 1})]
    follows = {"payment.succeeded": 1, "surplus.received": 2}
    back = [
        message(surplus_back(twice), one.payment_id, 3, after=follows),
        message(refund(one, 49_900, 7_612), one.payment_id, 4, after={**follows, "surplus.returned": 3}),
    ]
    await send(on_kafka.kafka_bootstrap, back)
    async with running(Consumer(database, on_kafka, consumers(on_kafka, clock), clock=clock)):

        async def both_wait() -> bool:
            return bool(await scalar(database, "SELECT count(*) FROM inbox_parked") == 2)

        await until(both_wait)
        await clock.until_sleeping(3)  # commits, sweeps and prunes
        clock.advance(timedelta(hours=24))
        await clock.until_sleeping(3)
        assert await both_wait()
        await send(on_kafka.kafka_bootstrap, came)

        async def all_posted() -> bool:
            clock.advance(timedelta(seconds=1))  # by which a try that failed waits, too
            return await transfers(database) == 4

        await until(all_posted)
    for event in (PaymentRefunded, SurplusReturned):
        assert await topics.count(f"{event.type}.dlt") == 0
    balances = await balances_of(database)
    assert (balances[CLEARING], balances[SURPLUS]) == (0, 0)
    await assert_sound(database)


async def test_m8_a_rebalance_in_the_middle_of_a_batch_posts_nothing_twice(
    database: Database, on_kafka: Settings, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first consumer holds a batch, begun and not posted, until its partitions are asked back for a second."""
    await make_topics(topics, partitions=6)
    in_hand, given_up = asyncio.Event(), told_to_give_up(monkeypatch)
    payments, *others = consumers(on_kafka)

    async def held(tx: Transaction, pairs: Sequence[tuple[PaymentSucceeded, Meta]]) -> None:
        if not in_hand.is_set():
            in_hand.set()
            await given_up.wait()
        await payments.handle(tx, pairs)

    events = [payment(number, 0) for number in range(1, 1001)]
    await send(on_kafka.kafka_bootstrap, [paid(it) for it in events])
    async with running(Consumer(database, on_kafka, [replace(payments, handle=held), *others])):
        await in_hand.wait()
        async with running(consumer(database, on_kafka)):
            await asyncio.wait_for(given_up.wait(), 30)
            await journals_reach(database, 1000)
    assert await transfers(database) == 1000
    await assert_sound(database)


async def test_m8_one_poison_in_a_thousand_goes_to_the_dead_letters_and_blocks_nobody(
    database: Database, on_kafka: Settings, topics: Topics
) -> None:
    await make_topics(topics, partitions=1)
    events = [payment(number, 0) for number in range(1, 1000)]
    stranger = refund(payment(5, 0), 5, 0)
    poison = [
        paid(payment(5, 0).model_copy(update={"amount_minor": -5})),
        message(stranger, stranger.payment_id, 1),
    ]
    messages = [paid(it) for it in events]
    messages[500:500] = poison
    await send(on_kafka.kafka_bootstrap, messages)
    async with running(consumer(database, on_kafka)):
        assert await journals_reach(database, 999) == 999
        for topic in (PaymentSucceeded.type, PaymentRefunded.type):
            assert len(await topics.read(f"{topic}.dlt", 1)) == 1
    await assert_sound(database)


async def test_a_refund_beyond_its_payment_is_a_dead_letter(
    database: Database, on_kafka: Settings, topics: Topics
) -> None:
    await make_topics(topics, partitions=1)
    one = payment(1000, 100)
    good = refund(one, 600, 60)
    beyond = refund(one, 600, 60, total=1200, refund_id=new_id())
    await send(on_kafka.kafka_bootstrap, [paid(one), given_back(good), given_back(beyond, sequence=3)])
    async with running(consumer(database, on_kafka)):
        (letter,) = await topics.read(f"{PaymentRefunded.type}.dlt", 1)
        await journals_reach(database, 2)
    assert any(b"exceed the payment" in value for _, value in letter.headers)
    assert (await balances_of(database))[CLEARING] == 400


async def test_m21_money_that_came_twice_and_went_back_is_in_the_books_as_in_the_banks_statement(
    database: Database, on_kafka: Settings, topics: Topics
) -> None:
    """Told twice and shuffled: clearing is what the bank's statement says, and what is not ours was no revenue."""
    await make_topics(topics)
    one, other = payment(49_900, 7_612), payment(20_000, 0)
    kept, returned = surplus(one), surplus(other)
    back = surplus_back(returned)
    statement = [49_900, 49_900, 20_000, 20_000, -20_000]
    messages = [
        paid(one),
        paid(other),
        message(kept, one.payment_id, 2, after={"payment.succeeded": 1}),
        message(returned, other.payment_id, 2, after={"payment.succeeded": 1}),
        message(back, other.payment_id, 3, after={"payment.succeeded": 1, "surplus.received": 2}),
    ] * 2
    random.Random(21).shuffle(messages)
    await send(on_kafka.kafka_bootstrap, messages)
    async with running(consumer(database, on_kafka)):
        assert await journals_reach(database, 5) == 5
    balances = await balances_of(database)
    assert (balances[CLEARING], balances[SURPLUS]) == (sum(statement), 49_900)
    assert (balances[SALES], balances[TAX]) == (49_900 - 7_612 + 20_000, 7_612)
    assert REFUNDS not in balances or balances[REFUNDS] == 0
    await assert_sound(database)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"surplus_id": new_id()}, b"is not in the books"),
        ({"amount_minor": 49_901}, b"is not the surplus"),
        ({"currency": "JPY"}, b"is not the surplus"),
    ],
)
async def test_what_goes_back_and_is_no_surplus_that_came_is_a_dead_letter(
    database: Database, on_kafka: Settings, topics: Topics, wrong: dict[str, object], cause: bytes
) -> None:
    await make_topics(topics, partitions=1)
    came = surplus(payment())
    back = surplus_back(came, **wrong)
    await send(
        on_kafka.kafka_bootstrap,
        [
            message(came, came.payment_id, 1),
            message(back, came.payment_id, 2, after={"surplus.received": 1}),
        ],
    )
    async with running(consumer(database, on_kafka)):
        (letter,) = await topics.read(f"{SurplusReturned.type}.dlt", 1)
        await journals_reach(database, 1)
    assert any(cause in value for _, value in letter.headers), letter.headers
    assert (await balances_of(database))[SURPLUS] == 49_900
