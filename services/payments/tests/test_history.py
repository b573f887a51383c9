"""The event table: added to, never changed; and everything else can be made from it again."""

import asyncio
import os
import sys

import pytest
from sqlalchemy import text

from services.payments.domain.events import canonical
from services.payments.store import payments as store
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import made
from services.payments.usecases import verifying
from services.upi_core.contract import Code
from suuupra.db import Database, StatementFailed
from suuupra.testing.postgres import PostgresServer
from suuupra.testing.waiting import until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payment_event SET type = 'attempt_failed'",
        "DELETE FROM payment_event",
        "TRUNCATE payment_event",
    ],
)
async def test_the_services_own_role_may_not_change_what_happened(database: Database, statement: str) -> None:
    with pytest.raises(StatementFailed):
        async with database.transaction() as tx:
            await tx.execute(text(statement))


async def eventful(world: World) -> None:
    """Payments in many states."""
    await world.order()
    await world.learner.attempt(await world.order())
    payment = await world.order()
    await world.pay(payment)
    for minor in (100, 9_999):
        made(await world.finance.refund(payment, minor))
    await world.deliver()
    first, second = world.switch.heard("ReqPay")
    await world.switch.respond(first)
    await world.switch.respond(second, "FAILURE", Code.SYSTEM)
    late = await world.order()
    started = await world.learner.attempt(late)
    await world.switch.authorise(started["attempt"]["reference"], MINOR)
    await world.pass_time(seconds=95)
    await world.pass_time(minutes=6)


async def test_m14_payments_made_again_from_their_events_are_the_same_byte_for_byte(world: World) -> None:
    await eventful(world)
    async with world.database.reading() as tx:
        rows = await tx.execute(text("SELECT id, state::text AS state FROM payment"))
        kept = {row.id: row.state for row in rows}
    assert len(kept) == 4
    async with world.database.transaction() as tx:
        for payment_id, state in kept.items():
            payment = await store.lock(tx, payment_id)
            assert payment is not None
            assert canonical(payment) == state
    assert await verifying.differences(world.database) == []


async def test_m14_a_fold_that_was_tampered_with_is_found_and_made_again(
    world: World, postgres: PostgresServer, database_name: str
) -> None:
    await eventful(world)
    postgres.execute(database_name, "UPDATE payment SET state = replace(state::text, '49900', '1')::json")
    found = await verifying.differences(world.database)
    assert len(found) == 4
    assert await verifying.rebuild(world.database) == 4
    assert await verifying.differences(world.database) == []


async def test_readers_see_what_the_events_say(world: World) -> None:
    await eventful(world)

    async def shown() -> bool:
        answer = await world.learner.get("/v1/payments")
        return len(answer.json()["items"]) == 4

    await until(shown)


async def test_m14_the_command_tells_and_mends_what_differs(
    world: World, environment: dict[str, str], postgres: PostgresServer, database_name: str
) -> None:
    await eventful(world)
    postgres.execute(database_name, "UPDATE payment SET state = '{}'")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "suuupra", "payments", "verify", "--repair"),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert (process.returncode, said.decode().splitlines()[-1]) == (0, "4 payments differ")
    assert await verifying.differences(world.database) == []
