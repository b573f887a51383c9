"""Letters that the database says are to be sent: sent at once and at least once, whoever dies, by whoever lives."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import text

from suuupra.clock import FakeClock, SystemClock
from suuupra.courier import Courier
from suuupra.db import Database, DatabaseBusy, Transaction
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration
LEASE: Final = timedelta(seconds=10)
AGAIN: Final = timedelta(seconds=1)
Probe = Callable[[], Awaitable[bool]]


@pytest.fixture(autouse=True)
def _letters(postgres: PostgresServer, database_name: str) -> None:
    made = "CREATE TABLE letter (id integer PRIMARY KEY, next_at timestamptz, sent boolean NOT NULL DEFAULT false)"
    postgres.execute(database_name, f"SET ROLE service_owner; {made}")


@dataclass(slots=True)
class Letters:
    """A kind of letters; `heard` is what their receiver got."""

    name: str = "letters"
    channel: str | None = "letters"
    heard: list[int] = field(default_factory=list)
    away: bool = False
    most: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    _now: int = 0

    def __post_init__(self) -> None:
        self.hold.set()

    async def claim(self, tx: Transaction, now: datetime, limit: int) -> Sequence[int]:
        claimed = text("""
        UPDATE letter SET next_at = :until WHERE id IN (
            SELECT id FROM letter WHERE NOT sent AND next_at <= :now ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING id
        """)
        values = {"until": now + LEASE, "now": now, "limit": limit}
        return list((await tx.execute(claimed, values)).scalars())

    async def next_due(self, tx: Transaction) -> datetime | None:
        due: datetime | None = await tx.scalar(text("SELECT min(next_at) FROM letter WHERE NOT sent"))
        return due

    async def deliver(self, letter: int) -> bool:
        self._now += 1
        self.most = max(self.most, self._now)
        await self.hold.wait()
        self._now -= 1
        self.heard.append(letter)
        return not self.away

    async def settle(self, database: Database, letter: int, result: bool, now: datetime) -> bool:
        note = "sent = true" if result else "next_at = :again"
        async with database.transaction() as tx:
            values = {"id": letter} | ({} if result else {"again": now + AGAIN})
            await tx.execute(text(f"UPDATE letter SET {note} WHERE id = :id"), values)
        return not result


async def write(database: Database, *letters: int, due: datetime) -> None:
    async with database.transaction() as tx:
        for letter in letters:
            await tx.execute(
                text("INSERT INTO letter (id, next_at) VALUES (:id, :due)"), {"id": letter, "due": due}
            )
        await tx.execute(text("SELECT pg_notify('letters', '')"))


async def unsent(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM letter WHERE NOT sent")) or 0)


async def test_a_letter_is_sent_as_soon_as_it_is_written(database: Database) -> None:
    post, clock = Letters(), SystemClock()
    courier = Courier(database, post, clock, poll_seconds=3600)
    async with running(courier):
        await until(_healthy(courier))
        await write(database, 1, due=clock.now())
        await until(_all_sent(database))
    assert post.heard == [1]


async def test_couriers_share_letters_and_each_is_sent_once(database: Database) -> None:
    post, clock = Letters(), SystemClock()
    await write(database, *range(1, 101), due=clock.now())
    async with running(*(Courier(database, post, clock) for _ in range(3))):
        await until(_all_sent(database))
    assert sorted(post.heard) == list(range(1, 101))


async def test_no_more_are_on_their_way_at_once_than_the_courier_takes(
    database: Database, clock: FakeClock
) -> None:
    post = Letters()
    courier = Courier(database, post, clock, parallel=4)
    await write(database, *range(1, 21), due=clock.now())
    for letter in range(30, 40):  # made by this process, so claimed already
        courier.submit(letter)
    assert await courier.deliver_due() == 20
    await courier.settled()
    assert len(post.heard) == 30
    assert post.most <= 4


async def test_what_somebody_claimed_who_died_is_sent_when_the_lease_ends(
    database: Database, clock: FakeClock
) -> None:
    post = Letters()
    await write(database, 1, due=clock.now())
    async with database.transaction() as tx:
        assert list(await post.claim(tx, clock.now(), 10)) == [1]
    courier = Courier(database, post, clock)
    assert await courier.deliver_due() == 0
    clock.advance(LEASE)
    assert await courier.deliver_due() == 1
    assert await unsent(database) == 0


async def test_a_receiver_that_was_away_is_told_as_soon_as_its_post_says(database: Database) -> None:
    """Not only when the courier looks by itself: settling says that there is a new time."""
    post, clock = Letters(away=True), SystemClock()
    async with running(Courier(database, post, clock, poll_seconds=3600)):
        await write(database, 1, due=clock.now())

        async def tried() -> bool:
            return bool(post.heard)

        await until(tried)
        post.away = False
        await until(_all_sent(database))
    assert len(post.heard) >= 2


async def test_stopping_finishes_what_is_on_its_way(database: Database) -> None:
    post, clock = Letters(), SystemClock()
    post.hold.clear()
    await write(database, 1, due=clock.now())
    courier = Courier(database, post, clock)
    task = asyncio.create_task(courier.run())

    async def on_its_way() -> bool:
        return courier.in_hand == 1

    await until(on_its_way)
    await courier.stop()
    post.hold.set()
    await task
    assert (post.heard, await unsent(database)) == ([1], 0)


async def test_what_is_tried_again_is_in_hand_and_not_new(database: Database, clock: FakeClock) -> None:
    post = Letters()
    post.hold.clear()
    courier = Courier(database, post, clock)
    await write(database, 1, due=clock.now())
    again = asyncio.create_task(courier.deliver_due())

    async def in_hand() -> bool:
        return courier.in_hand == 1

    await until(in_hand)
    assert courier.new_in_hand == 0
    courier.submit(2)
    assert (courier.in_hand, courier.new_in_hand) == (2, 1)
    post.hold.set()
    await again
    await courier.settled()
    assert (courier.in_hand, courier.new_in_hand) == (0, 0)


async def test_a_post_without_a_channel_is_looked_at_by_the_clock(database: Database) -> None:
    post, clock = Letters(channel=None), SystemClock()
    courier = Courier(database, post, clock, poll_seconds=0.05)
    async with running(courier):
        await until(_healthy(courier))
        await write(database, 1, due=clock.now())
        await until(_all_sent(database))
    assert post.heard == [1]


async def test_what_came_of_a_letter_waits_for_a_connection_and_is_not_thrown_away(
    database_url: str, clock: FakeClock
) -> None:
    """To send it again when its lease ends would be more work for a process that has too much."""
    single = Database(database_url, application="single", pool_size=1)
    post = Noting()
    courier = Courier(single, post, clock)
    await write(single, 1, due=clock.now() + LEASE)
    async with single.transaction():
        courier.submit(1)
        await asyncio.wait_for(post.found_none.wait(), 10)
    await courier.settled()
    assert (post.heard, await unsent(single)) == ([1], 0)
    await single.close()


class Noting(Letters):
    """Tells when there was no connection to note with."""

    def __init__(self) -> None:
        super().__init__()
        self.found_none = asyncio.Event()

    async def settle(self, database: Database, letter: int, result: bool, now: datetime) -> bool:
        try:
            return await Letters.settle(self, database, letter, result, now)
        except DatabaseBusy:
            self.found_none.set()
            raise


def _healthy(courier: Courier[int, bool]) -> Probe:
    async def healthy() -> bool:
        return courier.health() is None

    return healthy


def _all_sent(database: Database) -> Probe:
    async def all_sent() -> bool:
        return await unsent(database) == 0

    return all_sent
