"""What the switch and the banks have said is forgotten by age; what happened is not."""

import pytest
from sqlalchemy import text

from services.upi_core.tests.town import Town
from suuupra import sweeping
from suuupra.db import Database
from suuupra.schedule import Scheduler

pytestmark = pytest.mark.integration
FORGOTTEN = ("message_out", "message_in")
KEPT = ("txn", "txn_event", "leg")


async def count(database: Database, table: str) -> int:
    async with database.reading() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def sweep(town: Town) -> None:
    for app in town.apps:
        async with app.state.resources.get(Database).transaction() as tx:
            due = text("UPDATE scheduled SET next_at = :now WHERE kind = 'sweep'")
            await tx.execute(due, {"now": town.clock.now()})
        scheduler = next(it for it in app.state.runnables if isinstance(it, Scheduler))
        only = {sweeping.KIND: scheduler._handlers[sweeping.KIND]}
        database = app.state.resources.get(Database)
        assert await Scheduler(database, only, town.clock, parallel=1).handle_due() == 1


async def test_messages_are_kept_for_as_long_as_a_dispute_may_be_raised_and_no_longer(town: Town) -> None:
    paid = await town.pay()
    switch: Database = town.switch.state.resources.get(Database)
    bank: Database = town.banks["asha"].state.resources.get(Database)
    before = {
        table: await count(switch, table) for table in (*FORGOTTEN, *KEPT, "spending", "payment_request")
    }
    town.clock.advance(44 * 86_400)
    await sweep(town)
    after = {table: await count(switch, table) for table in before}
    assert after == before
    assert await count(bank, "message_out") > 0
    town.clock.advance(2 * 86_400)
    await sweep(town)
    for table in (*FORGOTTEN, "spending", "payment_request"):
        assert await count(switch, table) == 0, table
    assert await count(bank, "message_in") == await count(bank, "message_out") == 0
    assert {table: await count(switch, table) for table in KEPT} == {table: before[table] for table in KEPT}
    assert (await town.story(paid["id"]))["state"] == "success"
    await town.pay("A2")
