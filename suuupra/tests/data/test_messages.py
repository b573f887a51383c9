"""A message is sent at least once, and by one process never beside itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from suuupra import messages, signatures
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.ids import new_id
from suuupra.messages import ANSWER_SECONDS, FIRST_PAUSE, Messenger
from suuupra.signatures import Signer
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration
BODY = b'{"news": 1}'


class _Operations:
    """alembic's op, as far as create_tables uses it."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server, self._database = server, database

    def execute(self, sqltext: str) -> None:
        self._server.execute(self._database, f"SET ROLE service_owner; {sqltext}")


@pytest.fixture(autouse=True)
def _tables(postgres: PostgresServer, database_name: str) -> None:
    messages.create_tables(_Operations(postgres, database_name))


class Receiver(httpx.AsyncBaseTransport):
    """Takes its time with an answer, which is an acknowledgement or none."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.arrived, self.answers = asyncio.Event(), asyncio.Event()
        self.acknowledges = True
        self.at_once = self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request.content)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.arrived.set()
        try:
            await self.answers.wait()
        finally:
            self.at_once -= 1
        if not self.acknowledges:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(202, request=request)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@asynccontextmanager
async def sender(database: Database, clock: FakeClock, receiver: Receiver) -> AsyncIterator[Messenger]:
    """A process that sends."""
    signer = Signer(signatures.generate_key(), "us")

    async def signs() -> Signer:
        return signer

    async def address(_recipient: str) -> str:
        return "http://them"

    made = Messenger(database, signs, address, clock, transport=receiver)
    try:
        yield made
    finally:
        receiver.answers.set()
        await made.close()


async def post(database: Database, messenger: Messenger) -> UUID:
    message_id = new_id()
    async with database.transaction() as tx:
        await messenger.post(tx, message_id, "them", "/v1/news", BODY)
    return message_id


async def outcome_of(database: Database, message_id: UUID) -> str | None:
    async with database.reading() as tx:
        found: Any = await tx.scalar(
            text("SELECT outcome FROM message_out WHERE id = :id"), {"id": message_id}
        )
        return found if found is None else str(found)


async def test_a_message_on_its_way_is_not_sent_beside_itself(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    """An acknowledgement may take longer than the pause until one without it is sent again."""
    assert timedelta(seconds=ANSWER_SECONDS) > FIRST_PAUSE
    async with sender(database, clock, receiver) as messenger:
        message_id = await post(database, messenger)
        await receiver.arrived.wait()
        clock.advance(ANSWER_SECONDS)
        assert await messenger.courier.deliver_due() == 0
        receiver.answers.set()
        await messenger.courier.settled()
        assert await messenger.courier.deliver_due() == 0
    assert (receiver.heard, await outcome_of(database, message_id)) == ([BODY], "delivered")


async def test_one_that_was_not_acknowledged_is_sent_again_once_its_way_is_over(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    receiver.acknowledges = False
    async with sender(database, clock, receiver) as messenger:
        message_id = await post(database, messenger)
        await receiver.arrived.wait()
        clock.advance(ANSWER_SECONDS)
        receiver.answers.set()
        await messenger.courier.settled()
        receiver.acknowledges = True
        assert await messenger.courier.deliver_due() == 1
    assert (receiver.heard, receiver.most) == ([BODY] * 2, 1)
    assert await outcome_of(database, message_id) == "delivered"


async def test_while_one_is_on_its_way_the_courier_does_not_look_for_it_without_end(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    async with sender(database, clock, receiver) as messenger:
        await post(database, messenger)
        await receiver.arrived.wait()
        clock.advance(ANSWER_SECONDS)
        async with database.reading() as tx:
            assert await messenger._post.next_due(tx) is None


async def test_asked_for_again_while_it_is_on_its_way_it_is_sent_once(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    async with sender(database, clock, receiver) as messenger:
        message_id = await post(database, messenger)
        await receiver.arrived.wait()
        async with database.transaction() as tx:
            assert await messenger.again(tx, message_id)
        receiver.answers.set()
        await messenger.courier.settled()
        assert receiver.heard == [BODY]
        async with database.transaction() as tx:
            assert await messenger.again(tx, message_id)
    assert receiver.heard == [BODY] * 2, "one that has arrived is sent again at once"


async def test_what_a_process_had_on_its_way_when_it_died_is_sent_by_another(
    database: Database, clock: FakeClock, receiver: Receiver
) -> None:
    async with sender(database, clock, receiver) as dead:
        message_id = await post(database, dead)
        await receiver.arrived.wait()
        quick = Receiver()
        quick.answers.set()
        async with sender(database, clock, quick) as alive:
            assert await alive.courier.deliver_due() == 0
            clock.advance(FIRST_PAUSE)
            assert await alive.courier.deliver_due() == 1
        assert (quick.heard, await outcome_of(database, message_id)) == ([BODY], "delivered")
