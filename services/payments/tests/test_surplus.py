"""Money that comes a second time for one payment: it goes back by itself, once, and everybody is told."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from services.payments.domain.rails import NPCI
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import made, read
from services.payments.tests.test_upi import published
from services.payments.usecases import verifying
from services.upi_core.contract import Code

pytestmark = pytest.mark.integration


async def paid_twice(world: World) -> tuple[UUID, Any, Any]:
    """An attempt that was deemed and failed, then one that succeeded; then the first succeeded after all."""
    payment = await world.order()
    first = await world.learner.attempt(payment)
    extra = await world.switch.authorise(first["attempt"]["reference"], MINOR)
    await world.switch.confirm(extra, "DEEMED", Code.DEEMED)
    await world.switch.confirm(extra, "FAILURE", Code.CREDIT_FAILED)
    own = await world.pay(payment)
    await world.switch.confirm(extra)
    await world.deliver()
    return payment, own, extra


async def test_m21_a_second_success_goes_back_by_itself_once_and_is_shown(world: World) -> None:
    payment, own, extra = await paid_twice(world)
    for _ in range(3):
        await world.switch.confirm(extra)
    await world.deliver()
    (message,) = world.switch.heard("ReqPay")
    assert (message["txn"]["type"], message["txn"]["org_txn_id"]) == ("REFUND", extra.txn.id)
    assert message["payees"][0]["vpa"] == extra.payer.vpa
    assert message["payer"]["amount"] == {"minor": MINOR, "currency": "INR"}
    (received,) = await published(world, "surplus.received")
    assert (received["rail_reference"], received["attempt"], received["amount_minor"]) == (
        extra.txn.id,
        1,
        MINOR,
    )
    await world.switch.respond(message)
    (returned,) = await published(world, "surplus.returned")
    assert (returned["surplus_id"], returned["amount_minor"]) == (received["surplus_id"], MINOR)
    shown = await world.learner.payment(payment)
    assert (shown["status"], shown["refunded"]["minor"], shown["refunding"]["minor"]) == ("succeeded", 0, 0)
    (surplus,), (refund,) = shown["surpluses"], shown["refunds"]
    assert (surplus["id"], surplus["refund_id"]) == (received["surplus_id"], refund["id"])
    assert (refund["reason"], refund["status"], refund["tax_minor"]) == ("paid_twice", "succeeded", 0)
    story = read(await world.finance.get(f"/v1/payments/{payment}/timeline"))["items"]
    told = [it["what"] for it in story if it["kind"] == "event"]
    assert told[-4:] == ["surplus_received", "refund_requested", "refund_sent", "refund_succeeded"]
    assert await published(world, "payment.refunded") == [], "the payment itself stays as it is"
    (succeeded,) = await published(world, "payment.succeeded")
    assert succeeded["rail_reference"] == own.txn.id
    assert await verifying.differences(world.database) == []


async def test_m5_twenty_second_successes_at_once_go_back_once(world: World, count: Any) -> None:
    _, _, extra = await paid_twice(world)
    await asyncio.gather(
        *(world.switch.confirm(extra) for _ in range(20)), return_exceptions=True
    )  # some may find the payment locked: the switch says it again
    await world.switch.confirm(extra)
    await world.deliver()
    assert len(world.switch.heard("ReqPay")) == 1
    assert await count("payment_event", "type = 'surplus_received'") == 1


async def test_m5_payment_and_surplus_each_go_back_whole_and_no_more(world: World) -> None:
    payment, own, _ = await paid_twice(world)
    await world.switch.respond(world.switch.heard("ReqPay")[0])
    made(await world.finance.refund(payment))
    assert (await world.finance.refund(payment, 1)).status_code == 409
    await world.deliver()
    message = world.switch.heard("ReqPay")[-1]
    assert message["txn"]["org_txn_id"] == own.txn.id
    await world.switch.respond(message)
    (refunded,) = await published(world, "payment.refunded")
    assert (refunded["amount_minor"], refunded["tax_minor"], refunded["refunded_total_minor"]) == (
        MINOR,
        7_612,
        MINOR,
    )


async def test_a_surplus_that_cannot_go_back_is_told_and_asked_for_anew(world: World) -> None:
    payment, _, extra = await paid_twice(world)
    for pause in NPCI.retry_pauses:
        await world.switch.respond(world.switch.heard("ReqPay")[-1], "FAILURE", Code.PAYEE_BANK_DOWN)
        await world.pass_time(seconds=pause.total_seconds())
    await world.switch.respond(world.switch.heard("ReqPay")[-1], "FAILURE", Code.PAYEE_BANK_DOWN)
    (received,), (failed,) = (
        await published(world, "surplus.received"),
        await published(world, "refund.failed"),
    )
    assert failed["surplus_id"] == received["surplus_id"]
    shown = await world.learner.payment(payment)
    assert (shown["refunds"][0]["status"], shown["surpluses"][0]["refund_id"]) == ("failed", None)
    again = f"/v1/payments/{payment}/refunds/{failed['refund_id']}/retry"
    refund = made(await world.finance.post(again))
    assert (await world.finance.post(again)).status_code == 409
    await world.deliver()
    message = world.switch.heard("ReqPay")[-1]
    assert message["txn"]["org_txn_id"] == extra.txn.id
    await world.switch.respond(message)
    (returned,) = await published(world, "surplus.returned")
    assert returned["refund_id"] == refund["id"]


async def test_m11_silence_about_a_surplus_on_its_way_back_is_asked_about(world: World) -> None:
    payment, _, _ = await paid_twice(world)
    await world.pass_time(seconds=30)
    assert (await world.learner.payment(payment))["refunds"][0]["status"] == "unresolved"
    await world.pass_time(seconds=60)
    (question,) = world.switch.heard("ReqChkTxn")
    assert question["txn"]["org_txn_id"] == world.switch.heard("ReqPay")[0]["txn"]["id"]
    await world.switch.respond(question)
    assert len(await published(world, "surplus.returned")) == len(world.switch.heard("ReqPay")) == 1
