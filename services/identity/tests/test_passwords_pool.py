"""The pool that hashes passwords: bounded, honest when it is full, and never a way to tell accounts apart."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.identity.usecases.hashing import Hasher, HashingBusy


class Cheap:
    """Settings of a small, fast pool."""

    password_memory_kib = 1024
    password_passes = 1
    password_workers = 1
    password_queue = 2


@pytest_asyncio.fixture
async def hasher() -> AsyncIterator[Hasher]:
    made = Hasher(Cheap())
    await made.open()
    yield made
    await made.close()


async def test_a_password_is_known_again_by_its_hash(hasher: Hasher) -> None:
    kept = await hasher.hash("correct horse battery 9")
    assert kept.startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    assert await hasher.matches(kept, "correct horse battery 9")
    assert not await hasher.matches(kept, "correct horse battery 8")
    assert kept != await hasher.hash("correct horse battery 9")


async def test_where_there_is_no_account_nothing_matches_not_even_the_stand_in(hasher: Hasher) -> None:
    assert not await hasher.matches(None, "nobody's password")
    assert not await hasher.matches("not a hash", "x")


async def test_a_hash_of_other_parameters_is_outdated(hasher: Hasher) -> None:
    class Dearer(Cheap):
        password_passes = 2

    kept = await hasher.hash("correct horse battery 9")
    assert not hasher.outdated(kept)
    assert Hasher(Dearer()).outdated(kept)


async def test_a_full_queue_refuses_with_a_wait_and_a_place_is_taken_until_the_work_is_done(
    hasher: Hasher,
) -> None:
    hold = threading.Event()
    running = [asyncio.ensure_future(hasher._in_turn(hold.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(HashingBusy) as refused:
        await hasher.hash("correct horse battery 9")
    assert refused.value.status == 503
    assert int(refused.value.headers["Retry-After"]) > 0
    running[0].cancel()  # its caller went away; its thread works on
    await asyncio.wait(running[:1])
    with pytest.raises(HashingBusy):
        await hasher.hash("correct horse battery 9")
    hold.set()
    await asyncio.wait(running)
    assert await hasher.hash("correct horse battery 9")


async def test_many_at_once_are_all_answered_within_the_bound(hasher: Hasher) -> None:
    outcomes = await asyncio.gather(
        *(hasher.hash(f"correct horse battery {n}") for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(it, str) for it in outcomes) == 3
    assert sum(isinstance(it, HashingBusy) for it in outcomes) == 17
