"""Messages are forgotten by age, by the schedule; payments and their events never are."""

from typing import Any

import pytest
from sqlalchemy import text

from services.payments.schedules import schedules
from services.payments.tests.conftest import World
from services.payments.usecases import verifying
from suuupra import sweeping
from suuupra.schedule import Scheduler

pytestmark = pytest.mark.integration
MESSAGES = ("rail_message", "rail_received", "webhook_message", "webhook_delivery")


async def sweep(world: World) -> None:
    async with world.database.transaction() as tx:
        due = text("UPDATE scheduled SET next_at = :now WHERE kind = 'sweep'")
        await tx.execute(due, {"now": world.clock.now()})
    handlers = {sweeping.KIND: schedules(world.settings, world.clock)[sweeping.KIND]}
    assert await Scheduler(world.database, handlers, world.clock, parallel=1).handle_due() == 1


async def test_messages_are_kept_for_as_long_as_a_dispute_may_be_raised_and_no_longer(
    world: World, count: Any
) -> None:
    await world.integrator.post(
        "/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hooks", "events": ["payment.succeeded"]}
    )
    await world.pay(await world.order())
    async with world.database.transaction() as tx:
        await tx.execute(text("UPDATE webhook_delivery SET state = 'failed', next_at = NULL"))
    before = [await count(table) for table in MESSAGES]
    assert all(before)
    events = await count("payment_event")
    world.clock.advance(44 * 86_400)
    await sweep(world)
    assert [await count(table) for table in MESSAGES] == before
    world.clock.advance(2 * 86_400)
    await sweep(world)
    assert [await count(table) for table in MESSAGES] == [0, 0, 0, 0]
    assert await count("payment_event") == events
    assert await verifying.differences(world.database) == []
    assert await count("scheduled", "kind = 'sweep'") == 1


async def test_what_still_waits_to_be_said_is_kept_however_old_it_is(world: World, count: Any) -> None:
    payment = await world.order()
    await world.pay(payment)
    world.switch.away = True
    await world.finance.refund(payment)
    await world.deliver()
    world.clock.advance(100 * 86_400)
    await sweep(world)
    assert await count("rail_message") == await count("rail_message", "state = 'waiting'") == 1
    world.switch.away = False
    await world.deliver()
    assert len(world.switch.heard("ReqPay")) == 1
