"""From a transaction's outbox, through Kafka, to one effect."""

import time

import pytest

from suuupra.consuming import Consumer
from suuupra.db import Database
from suuupra.events import source_of
from suuupra.inbox import on
from suuupra.relay import Relay
from suuupra.testing.kafka import Topics
from suuupra.testing.waiting import until
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.events import append, assert_once_and_in_order, effects_reach
from suuupra.tests.data.ledger import Counted, record
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration


async def test_an_event_is_published_as_a_cloud_event_in_binary_mode(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    await append(database, "a", 7)
    async with running(Relay(settings)):
        (message,) = await topics.read(Counted.type, 1)
    headers = dict(message.headers)
    assert (message.key, message.value) == (b"a", b'{"number":7}')
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == b"kit.counted"
    assert headers["ce_source"] == source_of(settings.name).encode()
    assert headers["ce_subject"] == b"a"
    assert (headers["ce_sequence"], headers["ce_after"]) == (b"1", b"{}")
    assert headers["ce_dataschema"] == b"urn:suuupra:event:kit.counted:1"
    assert headers["content-type"] == b"application/json"
    assert {"ce_id", "ce_time"} <= headers.keys()


async def test_events_have_their_effect_once_and_in_order(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    consumer = Consumer(database, settings, [on(Counted, record)])
    async with running(Relay(settings), consumer):
        for number in range(1, 6):
            await append(database, "a", number)
            await append(database, "b", number)
        done = await effects_reach(database, 10)
    assert_once_and_in_order(done, ["a", "b"], 5)


async def test_a_commit_wakes_the_relay_within_milliseconds(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type)
    waits = []
    async with running(Relay(settings)):
        for number in range(1, 6):
            started = time.monotonic()
            await append(database, "a", number)

            async def published(expected: int = number) -> bool:
                return await topics.count(Counted.type) >= expected

            await until(published)
            waits.append(time.monotonic() - started)
    assert min(waits) < 0.2, waits
