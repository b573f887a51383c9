"""Copies of published pages: one load for many readers, never old, never of what was withdrawn."""

import asyncio

from services.content.domain.publishing import Document
from services.content.usecases.reading import FRESH_SECONDS, MAX_CHARACTERS, Copies


class Shelf:
    """Loads numbered documents, when it is let."""

    def __init__(self) -> None:
        self.loads = 0
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def load(self) -> Document:
        self.loads += 1
        self.asked.set()
        number = self.loads
        await self.open.wait()
        return Document(f"{number}", "")


async def read(copies: Copies, shelf: Shelf, now: float) -> str:
    found = await copies.get("key", now, shelf.load)
    assert found is not None
    return found.json


async def test_a_copy_serves_until_it_is_a_second_old() -> None:
    copies, shelf = Copies(), Shelf()
    assert [await read(copies, shelf, now) for now in (0.0, FRESH_SECONDS - 0.01, FRESH_SECONDS)] == [
        "1",
        "1",
        "2",
    ]


async def test_many_who_ask_at_once_wait_for_one_load() -> None:
    copies, shelf = Copies(), Shelf()
    assert await asyncio.gather(*(read(copies, shelf, 0.0) for _ in range(50))) == ["1"] * 50
    assert shelf.loads == 1


async def test_what_was_loading_when_something_was_published_is_not_kept() -> None:
    copies, shelf = Copies(), Shelf()
    shelf.open.clear()
    before = asyncio.create_task(read(copies, shelf, 0.0))
    await shelf.asked.wait()
    copies.drop()
    shelf.open.set()
    assert await read(copies, shelf, 0.0) == "2"
    assert await before == "1"
    assert await read(copies, shelf, 0.0) == "2"


async def test_a_reader_who_leaves_does_not_take_the_load_along() -> None:
    copies, shelf = Copies(), Shelf()
    shelf.open.clear()
    leaving = asyncio.create_task(read(copies, shelf, 0.0))
    staying = asyncio.create_task(read(copies, shelf, 0.0))
    await shelf.asked.wait()
    leaving.cancel()
    shelf.open.set()
    assert await staying == "1"


async def test_what_still_loads_when_all_have_left_is_over_before_the_database_is_let_go() -> None:
    copies, shelf = Copies(), Shelf()
    shelf.open.clear()
    over = asyncio.Event()

    async def load() -> Document:
        try:
            return await shelf.load()
        finally:
            over.set()

    leaving = asyncio.create_task(copies.get("key", 0.0, load))
    await shelf.asked.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert not over.is_set()
    await copies.close()
    assert over.is_set()


async def test_what_is_missing_is_asked_for_again() -> None:
    copies = Copies()

    async def nothing() -> None:
        return None

    assert await copies.get("key", 0.0, nothing) is None
    assert await read(copies, Shelf(), 0.0) == "1"


async def test_copies_take_bounded_memory() -> None:
    copies = Copies()

    async def large() -> Document:
        return Document("x" * (MAX_CHARACTERS // 2 + 1), "")

    shelf = Shelf()
    await read(copies, shelf, 0.0)
    for key in ("a", "b"):
        await copies.get(key, 0.0, large)
    assert await read(copies, shelf, 0.0) == "2"
