"""Dead letters go back to where they came from, once, by the function and by the command."""

import asyncio
import os
import sys

import pytest

from suuupra.consuming import Consumer
from suuupra.db import Database, Transaction
from suuupra.events import Meta
from suuupra.inbox import Reject, on
from suuupra.redrive import NoDeadLetters, redrive
from suuupra.testing.kafka import Topics
from suuupra.tests.data.conftest import Settings
from suuupra.tests.data.events import chain, effects_reach, send
from suuupra.tests.data.ledger import Counted, record
from suuupra.tests.data.running import running

pytestmark = pytest.mark.integration


async def test_dead_letters_are_redriven_once_and_then_have_their_effect(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    mended = False

    async def broken_until_mended(tx: Transaction, event: Counted, meta: Meta) -> None:
        if event.number == 2 and not mended:
            raise Reject("two is not handled yet")
        await record(tx, event, meta)

    await send(settings.kafka_bootstrap, Counted.type, chain("a", 3))
    async with running(Consumer(database, settings, [on(Counted, broken_until_mended)])):
        await effects_reach(database, 2)
        await topics.read(f"{Counted.type}.dlt", 1)
        looked = await redrive(settings, Counted.type, service=settings.name, dry_run=True)
        assert (looked.found, looked.sent, await topics.count(Counted.type)) == (1, 1, 3)

        mended = True
        first = await redrive(settings, Counted.type, service=settings.name)
        again = await redrive(settings, Counted.type, service=settings.name)
        foreign = await redrive(settings, Counted.type, service="another-service")
        done = await effects_reach(database, 3)
    assert (first.sent, again.sent, foreign.sent, foreign.skipped) == (1, 0, 0, 1)
    assert sorted(number for _, _, number in done) == [1, 2, 3]


async def test_redriving_an_unknown_topic_says_so(settings: Settings, topics: Topics) -> None:
    with pytest.raises(NoDeadLetters, match=r"there is no topic kit\.unheard\.dlt"):
        await redrive(settings, "kit.unheard", service="any")


async def command(settings: Settings, *words: str) -> tuple[int, str, str]:
    """Run `python -m suuupra redrive …` as a person would; its exit code and what it wrote."""
    environment = {**os.environ, "SUUUPRA_KAFKA_BOOTSTRAP": settings.kafka_bootstrap, "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "suuupra", "redrive", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_counts_puts_back_and_has_nothing_left_to_do(
    database: Database, settings: Settings, topics: Topics
) -> None:
    await topics.create(Counted.type, partitions=1)
    mended = False

    async def broken_until_mended(tx: Transaction, event: Counted, meta: Meta) -> None:
        if not mended:
            raise Reject("not yet")
        await record(tx, event, meta)

    await send(settings.kafka_bootstrap, Counted.type, chain("a", 3))
    ours = (Counted.type, "--service", settings.name)
    async with running(Consumer(database, settings, [on(Counted, broken_until_mended)])):
        await topics.read(f"{Counted.type}.dlt", 3)
        mended = True
        said = [
            await command(settings, *ours, "--dry-run"),
            await command(settings, *ours, "--limit", "1"),
            await command(settings, *ours),
            await command(settings, *ours),
        ]
        done = await effects_reach(database, 3)
    assert [code for code, _, _ in said] == [0, 0, 0, 0]
    looked = "dead letters of kit.counted looked at"
    for (_, out, _), words in zip(
        said,
        (
            f"3 {looked}, 3 would be put back",
            f"1 {looked}, 1 put back",
            f"2 {looked}, 2 put back",
            f"0 {looked}",
        ),
        strict=True,
    ):
        assert words in out
    assert sorted(number for _, _, number in done) == [1, 2, 3]


async def test_the_command_says_which_topic_is_not_there(settings: Settings, topics: Topics) -> None:
    code, _, err = await command(settings, "kit.unheard", "--service", "any")
    assert code == 1
    assert "there is no topic kit.unheard.dlt" in err
