"""Names, ids and time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from suuupra import names
from suuupra.clock import FakeClock, SystemClock
from suuupra.ids import new_id


def test_ids_are_standard_uuids_of_version_7() -> None:
    made = new_id()
    assert type(made) is UUID
    assert made.version == 7


def test_ids_sort_by_when_they_were_made() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_made_by_many_threads_are_distinct() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(5_000)))
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("name", ["content", "api-gateway", "a", "live-classes-2"])
def test_names_that_kubernetes_postgresql_and_python_accept_are_names(name: str) -> None:
    assert names.check(name) == name
    assert names.resource_of(names.folder_of(name)) == name


@pytest.mark.parametrize(
    "name",
    ["", "Content", "api_gateway", "-a", "a-", "a--b", "1a", "a.b", "ä", "class", "a" * 41, "a/../b", "a\n"],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(names.InvalidName):
        names.check(name)


def test_system_time_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_fake_time_stands_still_until_advanced() -> None:
    clock = FakeClock(datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))))
    before = clock.now()
    assert clock.now() == before == datetime(2026, 5, 1, 6, 30, tzinfo=UTC)
    clock.advance(timedelta(hours=1))
    clock.advance(0.5)
    assert clock.now() - before == timedelta(hours=1, seconds=0.5)
    assert clock.monotonic() == 3600.5


def test_fake_time_needs_an_aware_beginning_and_never_runs_backwards() -> None:
    with pytest.raises(ValueError, match="aware"):
        FakeClock(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(-1)


async def test_sleepers_wake_in_order_when_their_time_has_come() -> None:
    clock, woken = FakeClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as tasks:
        for seconds in (3, 1, 2):
            tasks.create_task(sleeper(seconds))
        await clock.until_sleeping(3)
        clock.advance(2)
        await clock.until_sleeping(1)
        await asyncio.sleep(0)
        assert woken == [1, 2]
        clock.advance(1)
    assert woken == [1, 2, 3]


async def test_sleeper_that_was_cancelled_is_forgotten() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.until_sleeping()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.advance(10)
