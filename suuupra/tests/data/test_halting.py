"""A task that is asked to stop stops at once where it waits, and after its critical section where it works."""

import asyncio

import pytest

from suuupra.halting import Haltable


async def test_a_waiting_task_stops_at_once() -> None:
    halt = Haltable(grace=60)
    running = asyncio.create_task(halt.run(asyncio.Event().wait()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    halt.halt()
    await running
    assert halt.halting


async def test_a_critical_section_is_finished_first() -> None:
    halt, done = Haltable(grace=60), list[str]()
    in_section, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        with halt.busy():
            in_section.set()
            await go_on.wait()
            done.append("section")
        await asyncio.sleep(0)
        done.append("never")

    running = asyncio.create_task(halt.run(work()))
    await in_section.wait()
    halt.halt()
    await asyncio.sleep(0)
    assert not running.done()
    go_on.set()
    await running
    assert done == ["section"]


async def test_a_critical_section_that_hangs_is_cut_off_after_the_grace() -> None:
    halt, in_section = Haltable(grace=0.01), asyncio.Event()

    async def work() -> None:
        with halt.busy():
            in_section.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(halt.run(work()))
    await in_section.wait()
    halt.halt()
    await asyncio.wait_for(running, 5)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_halting_before_the_start_and_twice_is_fine() -> None:
    halt = Haltable(grace=1)
    halt.halt()
    halt.halt()
    await halt.run(for_ever())


async def test_a_failure_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await Haltable(grace=1).run(work())


async def test_cancelling_the_caller_cancels_the_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(Haltable(grace=1).run(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.wait_for(ended.wait(), 5)
