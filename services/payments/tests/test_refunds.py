"""Refunds over the rail: partial, parallel, failing, silent."""

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.commerce.contract import RefundRequested
from services.payments.domain.events import CancelReason
from services.payments.domain.rails import NPCI
from services.payments.tests.conftest import MINOR, World
from services.payments.tests.people import fields, made, read
from services.payments.tests.recorded import RAIL
from services.payments.tests.test_upi import published
from services.payments.usecases import orders
from services.upi_core import contract as upi
from services.upi_core.contract import Code
from suuupra.inbox import Reject
from suuupra.testing.waiting import insisted, until

pytestmark = pytest.mark.integration


async def paid(world: World) -> tuple[UUID, Any]:
    payment = await world.order()
    return payment, await world.pay(payment)


async def test_a_refund_goes_to_who_paid_and_is_told(world: World) -> None:
    payment, asked = await paid(world)
    refund = made(await world.finance.refund(payment, 10_000))
    assert refund["status"] == "processing"
    await world.deliver()
    (message,) = world.switch.heard("ReqPay")
    assert message["txn"]["type"] == "REFUND"
    assert message["txn"]["org_txn_id"] == asked.txn.id
    assert message["payees"][0]["vpa"] == "asha.rao@asha"
    assert message["payer"]["vpa"] == "suuupra@cedar"
    assert message["payer"]["amount"] == {"minor": 10_000, "currency": "INR"}
    await world.switch.respond(message)
    shown = read(await world.finance.get(f"/v1/payments/{payment}/refunds/{refund['id']}"))
    assert (shown["status"], shown["rrn"]) == ("succeeded", "210987654321")
    (told,) = await published(world, "payment.refunded")
    assert (told["amount_minor"], told["refunded_total_minor"], told["refund_id"]) == (
        10_000,
        10_000,
        refund["id"],
    )


async def test_m17_parts_add_up_to_the_whole_tax_included(world: World) -> None:
    payment, _ = await paid(world)
    for minor in (1, 9_999, 33_333, None):
        made(await world.finance.refund(payment, minor))
        await world.deliver()
        await world.switch.respond(world.switch.heard("ReqPay")[-1])
    told = await published(world, "payment.refunded")
    assert sum(it["amount_minor"] for it in told) == MINOR
    assert sum(it["tax_minor"] for it in told) == 7_612
    assert [it["refunded_total_minor"] for it in told] == [1, 10_000, 43_333, MINOR]
    assert (await world.finance.refund(payment, 1)).status_code == 409


async def test_m5_of_parallel_refunds_of_the_whole_one_wins(world: World, count: Any) -> None:
    payment, _ = await paid(world)
    send = partial(world.finance.refund, payment, MINOR)
    answers = await asyncio.gather(*(insisted(send) for _ in range(100)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 99}
    assert await count("payment_event", "type = 'refund_requested'") == 1
    await world.deliver()
    assert len(world.switch.heard("ReqPay")) == 1


async def test_m5_parallel_parts_never_exceed_the_whole(world: World) -> None:
    payment, _ = await paid(world)
    await asyncio.gather(*(world.finance.refund(payment, 20_000) for _ in range(8)))

    async def exhausted() -> bool:
        return (await world.finance.refund(payment, 20_000)).status_code == 409

    await until(exhausted)
    shown = await world.learner.payment(payment)
    assert shown["refunding"]["minor"] == 40_000
    assert len(shown["refunds"]) == 2


@pytest.mark.parametrize(
    ("amount", "status", "field"),
    [
        ({"minor": MINOR + 1, "currency": "INR"}, 409, ["body.amount"]),
        ({"minor": 0, "currency": "INR"}, 422, ["body.amount.minor"]),
        ({"minor": -1, "currency": "INR"}, 422, ["body.amount.minor"]),
        ({"minor": 1, "currency": "USD"}, 422, ["body.amount.currency"]),
        ({"minor": 1.5, "currency": "INR"}, 422, ["body.amount.minor"]),
        ({"minor": 2**63, "currency": "INR"}, 422, ["body.amount.minor"]),
    ],
)
async def test_a_wrong_amount_names_the_field(
    world: World, amount: Any, status: int, field: list[str]
) -> None:
    payment, _ = await paid(world)
    answer = await world.finance.post(f"/v1/payments/{payment}/refunds", {"amount": amount})
    assert (answer.status_code, fields(answer)) == (status, field)


async def test_what_is_not_paid_is_not_refunded(world: World) -> None:
    answer = await world.finance.refund(await world.order(), 1)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:suuupra:problem:not-refundable")


async def test_a_refund_that_fails_is_tried_again_under_a_new_transaction(world: World) -> None:
    payment, _ = await paid(world)
    made(await world.finance.refund(payment))
    await world.deliver()
    await world.switch.respond(world.switch.heard("ReqPay")[0], "FAILURE", Code.PAYEE_BANK_DOWN)
    await world.pass_time(seconds=60)
    first, second = world.switch.heard("ReqPay")
    assert first["txn"]["id"] != second["txn"]["id"]
    assert first["txn"]["org_txn_id"] == second["txn"]["org_txn_id"]
    await world.switch.respond(second)
    assert (await world.learner.payment(payment))["refunded"]["minor"] == MINOR
    assert len(await published(world, "payment.refunded")) == 1


@pytest.mark.parametrize("old", [False, True])
async def test_a_refund_that_the_switch_refuses_is_tried_again_under_a_new_transaction(
    world: World, old: bool
) -> None:
    """Whatever the age of the switch: by a problem, or by the `err` of its acknowledgement."""
    payment, _ = await paid(world)
    made(await world.finance.refund(payment))
    world.switch.refuses, world.switch.old = upi.MessageRefused(Code.SYSTEM), old
    await world.deliver()
    world.switch.refuses = None
    await world.pass_time(seconds=60)
    first, second = world.switch.heard("ReqPay")
    assert first["txn"]["id"] != second["txn"]["id"]


async def test_m11_a_lost_answer_about_a_refund_is_asked_for_and_no_second_refund_made(world: World) -> None:
    payment, _ = await paid(world)
    made(await world.finance.refund(payment))
    await world.deliver()
    await world.pass_time(seconds=30)
    assert (await world.learner.payment(payment))["refunds"][0]["status"] == "unresolved"
    await world.pass_time(seconds=60)
    (question,) = world.switch.heard("ReqChkTxn")
    assert question["txn"]["org_txn_id"] == world.switch.heard("ReqPay")[0]["txn"]["id"]
    await world.switch.respond(question)
    assert (await world.learner.payment(payment))["refunds"][0]["status"] == "succeeded"
    assert len(world.switch.heard("ReqPay")) == 1


async def test_a_request_that_got_no_acknowledgement_is_sent_again_as_it_was(world: World) -> None:
    payment, _ = await paid(world)
    world.switch.away = True
    made(await world.finance.refund(payment))
    await world.deliver()
    world.switch.away = False
    await world.pass_time(seconds=1)
    assert len(world.switch.heard("ReqPay")) == 1


def refund_event(world: World, payment: UUID, minor: int = MINOR, **changes: Any) -> RefundRequested:
    return RefundRequested(
        **{
            "refund_id": uuid4(),
            "order_id": world.orders[-1].order_id,
            "payment_id": payment,
            "amount_minor": minor,
            "currency": "INR",
            "reason": "order_expired",
            "requested_at": world.clock.now(),
            **changes,
        }
    )


async def take(world: World, event: RefundRequested) -> None:
    async with world.database.transaction() as tx:
        await orders.refund(world.change(tx), event)


async def test_m21_a_payment_of_an_order_that_had_ended_is_refunded_once_and_shown(world: World) -> None:
    payment = await world.order()
    started = await world.learner.attempt(payment)
    asked = await world.switch.authorise(started["attempt"]["reference"], MINOR)
    async with world.database.transaction() as tx:
        await orders.end(world.change(tx), world.orders[0].order_id, CancelReason.ORDER_EXPIRED)
    assert (await world.learner.payment(payment))["cancel_wanted"] is True
    await world.switch.confirm(asked)
    assert len(await published(world, "payment.succeeded")) == 1, "commerce hears of it and asks for a refund"
    event = refund_event(world, payment)
    for _ in range(3):
        await take(world, event)
    await world.deliver()
    (message,) = world.switch.heard("ReqPay")
    await world.switch.respond(message)
    shown = await world.learner.payment(payment)
    assert [(it["reason"], it["status"]) for it in shown["refunds"]] == [("order_expired", "succeeded")]
    (told,) = await published(world, "payment.refunded")
    assert (told["refund_id"], told["reason"]) == (str(event.refund_id), "order_expired")


async def test_m8_refunds_over_a_rail_that_is_gone_wait_for_it_and_block_nobody(world: World) -> None:
    """Its events are taken in, so that those behind them in the partition are too; what is to be said waits."""
    first, _ = await paid(world)
    event = refund_event(world, first)
    assert (await world.http.delete("/internal/v1/rails/upi")).status_code == 204
    world.switch.away = True
    await take(world, event)
    shown = await world.learner.payment(first)
    assert [it["status"] for it in shown["refunds"]] == ["processing"]
    await world.deliver()
    assert (await world.http.get("/internal/v1/rails")).json()["items"] == []
    assert (await world.http.get("/internal/v1/rails/upi")).status_code == 404
    body = {"method": "upi_qr"}
    refused = await world.learner.post(f"/v1/payments/{await world.order()}/attempts", body)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:suuupra:problem:no-rail")
    world.switch.away = False
    registered = len(world.switch.heard("Registration"))
    assert (await world.http.put("/internal/v1/rails/upi", json=RAIL)).status_code == 200
    await world.pass_time(minutes=5)
    assert len(world.switch.heard("Registration")) == registered + 1, (
        "the switch is told anew that we take part"
    )
    (message,) = world.switch.heard("ReqPay")
    await world.switch.respond(message)
    assert (await world.learner.payment(first))["refunded"]["minor"] == MINOR


async def test_m4_a_refund_request_that_cannot_be_is_rejected(world: World) -> None:
    payment, _ = await paid(world)
    event = refund_event(world, payment, 100)
    await take(world, event)
    for wrong in (
        event.model_copy(update={"amount_minor": 101}),
        refund_event(world, payment, 0),
        refund_event(world, payment, -1),
        refund_event(world, payment, 2**63),
        refund_event(world, payment, 1, order_id=uuid4()),
        refund_event(world, payment, 1, currency="XXX"),
    ):
        with pytest.raises(Reject):
            await take(world, wrong)
    assert await published(world, "refund.failed") == []


@pytest.mark.parametrize(
    ("changes", "code"), [({}, "too_much"), ({"minor": 1, "currency": "JPY"}, "other_currency")]
)
async def test_a_refund_that_cannot_be_made_is_told_once_and_stays_refused(
    world: World, changes: dict[str, Any], code: str
) -> None:
    """Also when there would be money for it later: who asked was told that it failed, and may have asked anew."""
    payment, _ = await paid(world)
    first = made(await world.finance.refund(payment, 10_000))
    event = refund_event(world, payment, **changes)
    await take(world, event)
    (told,) = await published(world, "refund.failed")
    assert (told["refund_id"], told["code"], told["order_id"]) == (
        str(event.refund_id),
        code,
        str(event.order_id),
    )
    assert (told["amount_minor"], told["currency"]) == (event.amount_minor, event.currency)
    await _give_up(world)
    await take(world, event)
    shown = await world.learner.payment(payment)
    assert {it["id"]: it["status"] for it in shown["refunds"]} == {
        first["id"]: "failed",
        str(event.refund_id): "failed",
    }
    assert (shown["refunding"]["minor"], len(await published(world, "refund.failed"))) == (0, 2)


async def test_a_refund_of_what_is_not_paid_is_told_to_have_failed(world: World) -> None:
    payment = await world.order()
    await take(world, refund_event(world, payment))
    (told,) = await published(world, "refund.failed")
    assert (told["code"], told["reason"]) == (
        "not_paid",
        "The payment has not succeeded, so there is nothing to give back.",
    )


async def _give_up(world: World) -> None:
    """Let the rail refuse every try of the last refund."""
    await world.deliver()
    for pause in (timedelta(0), *NPCI.retry_pauses):
        await world.pass_time(seconds=pause.total_seconds())
        await world.switch.respond(world.switch.heard("ReqPay")[-1], "FAILURE", Code.PAYEE_BANK_DOWN)


async def test_a_refund_that_the_rail_declines_to_the_last_is_told_and_can_be_asked_for_anew(
    world: World,
) -> None:
    payment, _ = await paid(world)
    event = refund_event(world, payment)
    await take(world, event)
    await world.deliver()
    early = await world.finance.post(f"/v1/payments/{payment}/refunds/{event.refund_id}/retry")
    assert (early.status_code, fields(early)) == (409, ["path.refund_id"])
    await _give_up(world)
    (told,) = await published(world, "refund.failed")
    assert (told["refund_id"], told["code"], told["surplus_id"]) == (
        str(event.refund_id),
        Code.PAYEE_BANK_DOWN,
        None,
    )
    (shown,) = (await world.learner.payment(payment))["refunds"]
    assert (shown["status"], shown["code"], shown["detail"]) == ("failed", told["code"], told["reason"])
    again = made(await world.finance.post(f"/v1/payments/{payment}/refunds/{event.refund_id}/retry"))
    assert (again["amount"]["minor"], again["reason"]) == (MINOR, "order_expired")
    await world.deliver()
    await world.switch.respond(world.switch.heard("ReqPay")[-1])
    (back,) = await published(world, "payment.refunded")
    assert (back["refund_id"], back["amount_minor"]) == (again["id"], MINOR)
    third = await world.finance.post(f"/v1/payments/{payment}/refunds/{event.refund_id}/retry")
    assert (third.status_code, fields(third)) == (409, ["body.amount"])
