"""Money goes back as support says, in parts or whole, and never more than was paid."""

import asyncio
from functools import partial
from typing import Any

import pytest

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.ids import new_id
from suuupra.testing.waiting import insisted

pytestmark = pytest.mark.integration


def rupees(amount: str, currency: str = "INR") -> dict[str, Any]:
    return {"amount": {"currency": currency, "amount": amount}}


@pytest.fixture
async def paid(shop: Shop, learner: Person, deliveries: Deliveries) -> dict[str, Any]:
    """An order of ₹499 that is paid."""
    order = await learner.order(await shop.variant())
    await deliveries.pay(order)
    return await learner.order_now(order["id"])


def path(order: dict[str, Any]) -> str:
    return f"/v1/orders/{order['id']}/refunds"


async def test_a_partial_and_then_the_rest(
    paid: dict[str, Any], learner: Person, support: Person, deliveries: Deliveries
) -> None:
    payment_id = paid["payments"][0]["payment_id"]
    part = ok(await support.post(path(paid), rupees("100.00")))
    assert (part["status"], part["amount"]["text"]) == ("requested", "100.00")
    ((_, wanted),) = await deliveries.published("refund.requested")
    assert (wanted["refund_id"], wanted["amount_minor"], wanted["reason"]) == (
        part["id"],
        10_000,
        "requested",
    )
    await deliveries.hand_over(deliveries.refunded(paid, payment_id, part["id"], 10_000))
    shown = await learner.order_now(paid["id"])
    assert (shown["status"], shown["refunded"]["text"], shown["refundable"]["text"]) == (
        "partially_refunded",
        "100.00",
        "399.00",
    )
    assert shown["refunds"][0]["credit_note"] == "SC/25-26/000001"
    assert len(ok(await learner.get("/v1/entitlements"))["items"]) == 1

    rest = ok(await support.post(path(paid)))
    await deliveries.hand_over(deliveries.refunded(paid, payment_id, rest["id"], 39_900))
    shown = await learner.order_now(paid["id"])
    assert (shown["status"], shown["refundable"]["minor"]) == ("refunded", 0)
    assert ok(await learner.get("/v1/entitlements"))["items"] == []
    assert [entry["text"] for entry in shown["timeline"]][-5:] == [
        "₹100.00 is on its way back: it was asked for",
        "₹100.00 refunded by UPI",
        "₹399.00 is on its way back: it was asked for",
        "₹399.00 refunded by UPI",
        f"{paid['timeline'][-1]['text'].removesuffix(' opened')} closed again",
    ]
    refunded = [data for _, data in await deliveries.published("order.refunded")]
    assert [(one["full"], one["refunded_total_minor"]) for one in refunded] == [
        (False, 10_000),
        (True, 49_900),
    ]
    assert (await deliveries.types())[-2:] == ["order.refunded", "entitlement.revoked"]


async def test_m5_refunds_at_once_never_exceed_what_was_paid(
    paid: dict[str, Any], support: Person, deliveries: Deliveries
) -> None:
    answers = await asyncio.gather(*(support.post(path(paid), rupees("150.00")) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    wanted = [data["amount_minor"] for _, data in await deliveries.published("refund.requested")]
    assert sum(wanted) == 45_000
    whole = await asyncio.gather(*(support.post(path(paid)) for _ in range(5)))
    assert sorted(answer.status_code for answer in whole) == [201] + [409] * 4


async def test_m3_the_same_key_a_hundred_times_is_one_refund(
    paid: dict[str, Any], support: Person, deliveries: Deliveries
) -> None:
    send = partial(support.post, path(paid), rupees("1.00"), key="r")
    answers = await asyncio.gather(*(insisted(send) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await deliveries.published("refund.requested")) == 1
    problem(await support.post(path(paid), rupees("2.00"), key="r"), 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("body", "status", "slug", "field"),
    [
        (rupees("499.01"), 409, "wrong-state", "body.amount"),
        (rupees("0"), 409, "wrong-state", "body.amount"),
        (rupees("-1"), 422, "invalid", "body.amount.amount"),
        (rupees("1.005"), 422, "invalid", "body.amount.amount"),
        (rupees("1", "JPY"), 422, "invalid", "body.amount.currency"),
        (rupees("1" * 25), 422, "invalid", "body.amount.amount"),
    ],
)
async def test_a_wrong_amount_is_refused_and_nothing_changes(
    paid: dict[str, Any],
    support: Person,
    deliveries: Deliveries,
    body: object,
    status: int,
    slug: str,
    field: str,
) -> None:
    assert problem(await support.post(path(paid), body), status, slug)["field"] == field
    assert await deliveries.published("refund.requested") == []


async def test_what_nobody_paid_is_not_refunded(shop: Shop, learner: Person, support: Person) -> None:
    order = await learner.order(await shop.variant())
    problem(await support.post(path(order)), 409, "wrong-state")


async def test_a_refund_that_payments_began_by_itself_is_shown_and_counts(
    paid: dict[str, Any], learner: Person, support: Person, deliveries: Deliveries
) -> None:
    event = deliveries.refunded(paid, paid["payments"][0]["payment_id"], new_id(), 40_000)
    await deliveries.hand_over(event, event)
    shown = await learner.order_now(paid["id"])
    assert (shown["status"], shown["refundable"]["minor"], len(shown["refunds"])) == (
        "partially_refunded",
        9_900,
        1,
    )
    problem(await support.post(path(paid), rupees("99.01")), 409, "wrong-state")


async def test_a_refund_that_fails_is_shown_takes_nothing_away_and_is_asked_for_anew(
    shop: Shop, learner: Person, support: Person, deliveries: Deliveries
) -> None:
    course_id = await shop.course()
    order = await learner.order((await shop.product(course_id=course_id))["variants"][0]["id"])
    payment_id = await deliveries.pay(order)
    refund = ok(await support.post(path(order)))
    failed = deliveries.refund_failed(order, payment_id, refund["id"])
    await deliveries.hand_over(failed, failed)
    shown = await learner.order_now(order["id"])
    (only,) = shown["refunds"]
    assert (only["status"], only["code"], only["detail"]) == ("failed", "XH", "The account does not exist.")
    assert (shown["status"], shown["refunded"]["minor"], shown["refundable"]["minor"]) == (
        "fulfilled",
        0,
        49_900,
    )
    assert [entry["what"] for entry in shown["timeline"]].count("refund.failed") == 1
    assert shown["timeline"][-1]["text"] == "₹499.00 could not go back: The account does not exist."
    assert len(ok(await learner.get("/v1/entitlements"))["items"]) == 1

    again = ok(await support.post(f"{path(order)}/{refund['id']}/retry"))
    assert (again["status"], again["amount"]["minor"]) == ("requested", 49_900)
    assert again["id"] != refund["id"]
    wanted = [data["refund_id"] for _, data in await deliveries.published("refund.requested")]
    assert wanted == [refund["id"], again["id"]]
    twice = problem(await support.post(f"{path(order)}/{refund['id']}/retry"), 409, "wrong-state")
    assert twice["field"] == "path.refund_id"
    await deliveries.hand_over(deliveries.refunded(order, payment_id, again["id"], 49_900))
    after = await learner.order_now(order["id"])
    assert (after["status"], [one["status"] for one in after["refunds"]]) == ("refunded", ["failed", "done"])
    assert ok(await learner.get("/v1/entitlements"))["items"] == []


async def test_m21_what_could_not_go_back_by_itself_is_asked_for_anew_by_support(
    shop: Shop, learner: Person, support: Person, deliveries: Deliveries
) -> None:
    order = await learner.order(await shop.variant())
    ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    late = deliveries.succeeded(order)
    await deliveries.hand_over(late)
    (refund,) = (await learner.order_now(order["id"]))["refunds"]
    problem(await support.post(f"{path(order)}/{refund['id']}/retry"), 409, "wrong-state")
    await deliveries.hand_over(deliveries.refund_failed(order, late.payment_id, refund["id"]))
    answers = await asyncio.gather(*(support.post(f"{path(order)}/{refund['id']}/retry") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    await deliveries.hand_over(late)
    assert len(await deliveries.published("refund.requested")) == 2, (
        "the payment that is known asks for no third"
    )
    shown = await learner.order_now(order["id"])
    assert [(one["status"], one["reason"]) for one in shown["refunds"]] == [
        ("failed", "order_canceled"),
        ("requested", "order_canceled"),
    ]
    done = deliveries.refunded(order, late.payment_id, shown["refunds"][1]["id"], 49_900)
    await deliveries.hand_over(done)
    assert (await learner.order_now(order["id"]))["status"] == "canceled"


async def test_a_refund_that_failed_and_was_carried_out_after_all_is_done(
    paid: dict[str, Any], learner: Person, support: Person, deliveries: Deliveries
) -> None:
    payment_id = paid["payments"][0]["payment_id"]
    refund = ok(await support.post(path(paid)))
    await deliveries.hand_over(
        deliveries.refund_failed(paid, payment_id, refund["id"]),
        deliveries.refunded(paid, payment_id, refund["id"], 49_900),
        deliveries.refund_failed(paid, payment_id, refund["id"]),
    )
    shown = await learner.order_now(paid["id"])
    assert (shown["status"], shown["refunds"][0]["status"]) == ("refunded", "done")


async def test_a_failed_refund_that_payments_began_is_told_and_no_refund_of_the_orders(
    paid: dict[str, Any], learner: Person, deliveries: Deliveries
) -> None:
    payment_id = paid["payments"][0]["payment_id"]
    await deliveries.hand_over(deliveries.refund_failed(paid, payment_id, new_id(), surplus_id=new_id()))
    shown = await learner.order_now(paid["id"])
    assert (shown["refunds"], shown["timeline"][-1]["what"]) == ([], "refund.failed")


async def test_only_who_may_refund_asks_again(
    paid: dict[str, Any], learner: Person, support: Person, nobody: Person
) -> None:
    again = f"{path(paid)}/{new_id()}/retry"
    problem(await nobody.post(again), 401, "unauthenticated")
    problem(await learner.post(again), 403, "forbidden")
    problem(await support.post(again), 404, "not-found")
