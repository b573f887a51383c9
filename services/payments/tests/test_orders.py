"""Each order has one payment, whatever is told how often, and whatever clocks say."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.payments.domain.events import CancelReason
from services.payments.tests.conftest import MINOR, World, order_created
from services.payments.tests.test_upi import published
from services.payments.usecases import orders
from suuupra.inbox import Reject

pytestmark = pytest.mark.integration


async def begin(world: World, *events: Any) -> None:
    async with world.database.transaction() as tx:
        await orders.begin(tx, events, world.clock.now())


async def end(world: World, order_id: Any, why: CancelReason) -> None:
    async with world.database.transaction() as tx:
        await orders.end(world.change(tx), order_id, why)


async def test_an_order_told_twice_has_one_payment(world: World, count: Any) -> None:
    event = order_created(world.learner.id, world.clock)
    await begin(world, event)
    await begin(world, event, order_created(world.learner.id, world.clock))
    assert await count("payment") == await count("payment_event") == 2


async def test_m4_an_order_told_with_another_amount_is_rejected(world: World, count: Any) -> None:
    event = order_created(world.learner.id, world.clock)
    await begin(world, event)
    for change in ({"total_minor": 1, "tax_minor": 0}, {"user_id": uuid4()}, {"currency": "USD"}):
        with pytest.raises(Reject):
            await begin(world, event.model_copy(update=change))
    assert await count("payment") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "ABC"},
        {"currency": "inr"},
        {"total_minor": -1, "tax_minor": -1},
        {"total_minor": 2**63, "tax_minor": 0},
        {"tax_minor": MINOR + 1},
        {"tax_minor": -1},
    ],
)
async def test_an_order_that_cannot_be_is_rejected(world: World, count: Any, change: Any) -> None:
    with pytest.raises(Reject):
        await begin(world, order_created(world.learner.id, world.clock).model_copy(update=change))
    assert await count("payment") == 0


async def test_an_order_that_costs_nothing_has_no_payment(world: World, count: Any) -> None:
    free = order_created(world.learner.id, world.clock, 0, 0)
    await begin(world, free)
    await end(world, free.order_id, CancelReason.ORDER_EXPIRED)
    assert await count("payment") == 0


@pytest.mark.parametrize("why", [CancelReason.ORDER_EXPIRED, CancelReason.ORDER_CANCELED])
async def test_a_payment_ends_with_its_order(world: World, why: CancelReason) -> None:
    payment = await world.order()
    await world.learner.attempt(payment)
    await end(world, world.orders[0].order_id, why)
    await end(world, world.orders[0].order_id, why)
    shown = await world.learner.payment(payment)
    assert (shown["status"], shown["attempts"][0]["state"]) == ("canceled", "closed")
    assert await published(world, "payment.failed") == []


async def test_a_payment_that_succeeded_stays_so_when_its_order_ends(world: World) -> None:
    payment = await world.order()
    await world.pay(payment)
    await end(world, world.orders[0].order_id, CancelReason.ORDER_EXPIRED)
    assert (await world.learner.payment(payment))["status"] == "succeeded"


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_m19_a_clock_of_the_orders_that_is_an_hour_off_changes_no_expiry(
    world: World, hours: int
) -> None:
    skewed = world.clock.now() + timedelta(hours=hours)
    payment = await world.order(created_at=skewed, expires_at=skewed + timedelta(minutes=15))
    await world.learner.attempt(payment)
    await world.pass_time(minutes=4, seconds=59)
    assert (await world.learner.payment(payment))["status"] == "requires_action"
    await world.pass_time(seconds=1)
    assert (await world.learner.payment(payment))["attempts"][0]["state"] == "expired"
    world.clock.advance(timedelta(minutes=9, seconds=59))
    await world.learner.attempt(payment)
    world.clock.advance(timedelta(seconds=1))
    late = await world.learner.post(f"/v1/payments/{payment}/attempts", {"method": "upi_intent"})
    assert late.status_code == 409


async def test_m19_our_clock_jumping_an_hour_forth_and_back_expires_once_and_revives_nothing(
    world: World,
) -> None:
    payment = await world.order()
    started = await world.learner.attempt(payment)
    world.clock._elapsed += 3600
    assert await world.due() == 1
    world.clock._elapsed -= 3600
    assert await world.due() == 0
    shown = await world.learner.payment(payment)
    assert shown["attempts"][0]["state"] == "expired"
    assert [it["code"] for it in await published(world, "payment.failed")] == ["U69"]
    await world.switch.authorise(started["attempt"]["reference"], MINOR)
    await world.deliver()
    assert world.switch.heard("RespAuthDetails")[0]["resp"]["code"] == "U69"


async def test_m19_our_clock_an_hour_back_expires_nothing_early(world: World) -> None:
    payment = await world.order()
    await world.learner.attempt(payment)
    world.clock._elapsed -= 3600
    await world.pass_time(minutes=59)
    assert (await world.learner.payment(payment))["status"] == "requires_action"
    await world.pass_time(minutes=6)
    assert (await world.learner.payment(payment))["attempts"][0]["state"] == "expired"
