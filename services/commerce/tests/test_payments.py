"""What becomes of an order when payments, and the clock, speak; each story can be read from the order."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.ids import new_id
from suuupra.inbox import Reject

pytestmark = pytest.mark.integration

_HIDDEN = text("UPDATE orders SET status = :status WHERE id = :id")


async def test_a_payment_pays_fulfils_and_opens_the_course(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    course_id = await shop.course("The Python Tutorial")
    product = await shop.product(course_id=course_id)
    order = await learner.order(product["variants"][0]["id"])
    payment_id = await deliveries.pay(order)
    paid = await learner.order_now(order["id"])
    assert (paid["status"], paid["payment"], paid["invoice_number"]) == (
        "fulfilled",
        "succeeded",
        "SU/25-26/000001",
    )
    assert await deliveries.types() == ["order.created", "order.paid", "entitlement.granted"]
    ((_, event),) = await deliveries.published("order.paid")
    assert (event["payment_id"], event["invoice_number"]) == (str(payment_id), "SU/25-26/000001")
    (right,) = ok(await learner.get("/v1/entitlements"))["items"]
    assert (right["course_id"], right["slug"], right["order_id"]) == (
        str(course_id),
        "the-python-tutorial",
        order["id"],
    )
    assert ok(await learner.get("/v1/entitlements", course_id=str(new_id())))["items"] == []


async def test_the_timeline_tells_the_story_with_the_ids_of_all_who_took_part(
    shop: Shop, learner: Person, support: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    product = await shop.product()
    course = product["course"]
    order = await learner.order(product["variants"][0]["id"])
    payment_id = new_id()
    clock.advance(5)
    await deliveries.hand_over(deliveries.failed(order, payment_id))
    clock.advance(5)
    failed = await learner.order_now(order["id"])
    assert (failed["payment"], failed["payments"][0]["code"]) == ("failed", "ZM")
    await deliveries.hand_over(deliveries.succeeded(order, payment_id))
    shown = await support.order_now(order["id"])
    assert [entry["what"] for entry in shown["timeline"]] == [
        "order.created",
        "payment.failed",
        "payment.succeeded",
        "order.paid",
        "order.fulfilled",
    ]
    created, wrong, money, *_ = shown["timeline"]
    assert (created["ids"]["order_id"], wrong["ids"]["payment_id"]) == (order["id"], str(payment_id))
    assert (money["ids"]["rrn"], money["ids"]["rail_reference"]) == ("600112345678", "SUU0001")
    assert {"event_id", "payment_id"} <= set(money["ids"])
    assert [entry["text"] for entry in shown["timeline"]] == [
        f"Ordered {order['lines'][0]['title']} for ₹499.00",
        "Attempt 1 to pay failed: The UPI PIN was wrong (ZM)",
        "₹499.00 received by UPI",
        f"Paid, with invoice {shown['invoice_number']}",
        f"{course['title']} opened",
    ]
    assert shown["payments"][0]["status"] == "succeeded"
    found = ok(await support.get("/v1/orders", payment_id=str(payment_id)))["items"]
    assert [one["id"] for one in found] == [order["id"]]


async def test_the_timeline_stands_as_it_happened_however_late_commerce_hears_of_it(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    order = await learner.order(await shop.variant())
    clock.advance(5)
    declined = deliveries.failed(order, new_id())
    clock.advance(5)
    ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    await deliveries.hand_over(declined)
    timeline = (await learner.order_now(order["id"]))["timeline"]
    assert [(entry["what"], entry["at"]) for entry in timeline] == [
        ("order.created", "2026-01-01T00:00:00Z"),
        ("payment.failed", "2026-01-01T00:00:05Z"),
        ("order.canceled", "2026-01-01T00:00:10Z"),
    ]


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_m19_an_order_expires_by_our_clock_however_far_the_databases_is(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock, hours: int
) -> None:
    clock.advance(
        timedelta(hours=1 + hours)
    )  # the test's clock: a year from the server's, an hour more or less
    order = await learner.order(await shop.variant())
    clock.advance(timedelta(minutes=15) - timedelta(seconds=1))
    await deliveries.do_what_is_due()
    assert (await learner.order_now(order["id"]))["status"] == "pending_payment"
    clock.advance(1)
    await deliveries.do_what_is_due()
    await deliveries.do_what_is_due()
    assert (await learner.order_now(order["id"]))["status"] == "expired"
    assert await deliveries.types() == ["order.created", "order.expired"]


async def test_m19_an_order_waits_only_as_long_as_its_buyer_asked(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    cart = await learner.cart(await shop.variant())
    order = ok(await learner.post("/v1/orders", {"cart_id": cart["id"], "expires_in": 30}))
    assert order["expires_at"] == "2026-01-01T00:00:30Z"
    ((_, event),) = await deliveries.published("order.created")
    assert event["expires_at"] == order["expires_at"]
    for seconds, status in ((29, "pending_payment"), (1, "expired")):
        clock.advance(seconds)
        await deliveries.do_what_is_due()
        assert (await learner.order_now(order["id"]))["status"] == status


async def test_m19_a_scheduler_an_hour_ahead_is_the_only_clock_that_counts_for_what_it_did(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    order = await learner.order(await shop.variant())
    ahead = FakeClock(clock.now() + timedelta(hours=1))
    await Deliveries(deliveries.database, deliveries.settings, ahead).do_what_is_due()
    expired = await learner.order_now(order["id"])
    assert (expired["status"], expired["timeline"][-1]["at"]) == ("expired", "2026-01-01T01:00:00Z")
    clock.advance(timedelta(hours=2))
    assert await deliveries.do_what_is_due() == 0


async def test_a_paid_order_never_expires(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    order = await learner.order(await shop.variant())
    await deliveries.pay(order)
    clock.advance(timedelta(days=2))
    await deliveries.do_what_is_due()
    assert (await learner.order_now(order["id"]))["status"] == "fulfilled"


async def test_a_payment_in_time_counts_although_the_expiry_is_overdue(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    order = await learner.order(await shop.variant())
    clock.advance(timedelta(minutes=20))
    await deliveries.pay(order)
    await deliveries.do_what_is_due()
    assert (await learner.order_now(order["id"]))["status"] == "fulfilled"


@pytest.mark.parametrize("ending", ["expired", "canceled", "paid"])
async def test_m21_a_payment_that_comes_too_late_goes_back_by_itself_once_and_is_shown(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock, ending: str
) -> None:
    order = await learner.order(await shop.variant())
    if ending == "expired":
        clock.advance(timedelta(minutes=15))
        await deliveries.do_what_is_due()
    elif ending == "canceled":
        ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    else:
        await deliveries.pay(order)
    late = deliveries.succeeded(order)
    await deliveries.hand_over(late, late, late)
    ((_, wanted),) = await deliveries.published("refund.requested")
    reason = {"expired": "order_expired", "canceled": "order_canceled", "paid": "already_paid"}[ending]
    assert (wanted["payment_id"], wanted["amount_minor"], wanted["reason"]) == (
        str(late.payment_id),
        49_900,
        reason,
    )
    shown = await learner.order_now(order["id"])
    assert shown["status"] == ("fulfilled" if ending == "paid" else ending)
    assert shown["payment"] == ("succeeded" if ending == "paid" else "returned")
    assert (shown["refunds"][0]["status"], shown["refunds"][0]["reason"]) == ("requested", reason)
    assert "refund.requested" in [entry["what"] for entry in shown["timeline"]]

    done = deliveries.refunded(order, late.payment_id, wanted["refund_id"], 49_900)
    await deliveries.hand_over(done, done)
    ((_, refunded),) = await deliveries.published("order.refunded")
    assert (refunded["reason"], refunded["full"]) == (reason, ending != "paid")
    after = await learner.order_now(order["id"])
    assert (after["status"], after["refunds"][0]["status"]) == (shown["status"], "done")
    assert after["refunds"][0]["credit_note"] is None
    rights = ok(await learner.get("/v1/entitlements"))["items"]
    assert len(rights) == (1 if ending == "paid" else 0)


async def test_m21_two_late_payments_go_back_each_once(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    order = await learner.order(await shop.variant())
    ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    first, second = deliveries.succeeded(order), deliveries.succeeded(order)
    await deliveries.hand_over(first, second, first)
    wanted = [data["payment_id"] for _, data in await deliveries.published("refund.requested")]
    assert wanted == [str(first.payment_id), str(second.payment_id)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_m21_a_course_paid_twice_by_two_orders_goes_back_once_by_itself(
    shop: Shop, signed_in: Callable[..., Person], deliveries: Deliveries, database: Database, at_once: bool
) -> None:
    """Two orders of one course that wait both, as the first version of the shop let them: one is paid, one goes back."""
    for _ in range(5 if at_once else 1):
        learner, variant = signed_in(), await shop.variant(capacity=3)
        orders = [await learner.order(variant)]
        async with database.transaction() as tx:
            await tx.execute(_HIDDEN, {"id": orders[0]["id"], "status": "draft"})
        orders.append(await learner.order(variant))
        async with database.transaction() as tx:
            await tx.execute(_HIDDEN, {"id": orders[0]["id"], "status": "pending_payment"})
        paid = [deliveries.succeeded(order) for order in orders]
        if at_once:
            await asyncio.gather(*(deliveries.hand_over(one) for one in paid))
        else:
            await deliveries.hand_over(*paid, paid[1])
        shown = [await learner.order_now(order["id"]) for order in orders]
        assert sorted(one["status"] for one in shown) == ["canceled", "fulfilled"]
        returned = next(one for one in shown if one["status"] == "canceled")
        assert (returned["payment"], returned["invoice_number"]) == ("returned", None)
        assert [(one["status"], one["reason"]) for one in returned["refunds"]] == [
            ("requested", "already_paid")
        ]
        assert [one["id"] for one in shown if one["refunds"]] == [returned["id"]]
        (right,) = ok(await learner.get("/v1/entitlements"))["items"]
        assert right["order_id"] != returned["id"]
        mine = [data for _, data in await deliveries.published("refund.requested", "order.canceled")]
        assert len([data for data in mine if data["order_id"] == returned["id"]]) == 2
        assert (
            ok(await learner.get(f"/v1/products/{returned['lines'][0]['product_id']}"))["variants"][0][
                "seats_left"
            ]
            == 2
        )


async def test_m21_payment_cancellation_and_expiry_at_once_leave_one_end_and_no_money_behind(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    for _ in range(5):
        order = await learner.order(await shop.variant(capacity=1))
        clock.advance(timedelta(minutes=15))
        first, second = deliveries.succeeded(order), deliveries.succeeded(order)
        await asyncio.gather(
            deliveries.hand_over(first),
            learner.post(f"/v1/orders/{order['id']}/cancel"),
            deliveries.hand_over(second),
            deliveries.do_what_is_due(),
        )
        shown = await learner.order_now(order["id"])
        taken = 1 if shown["status"] == "fulfilled" else 0
        assert shown["status"] in ("fulfilled", "canceled", "expired")
        assert len(shown["refunds"]) == 2 - taken
        assert {refund["payment_id"] for refund in shown["refunds"]} <= {
            str(first.payment_id),
            str(second.payment_id),
        }


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (49_899, "INR", "498.99"),
        (49_901, "INR", "499.01"),
        (49_900, "JPY", "49900"),
        (49_900, "KWD", "49.900"),
    ],
)
async def test_m21_a_payment_of_another_amount_goes_back_by_itself_once_and_the_order_stays_unpaid(
    shop: Shop, learner: Person, deliveries: Deliveries, amount: int, currency: str, shown: str
) -> None:
    order = await learner.order(await shop.variant())
    wrong = deliveries.succeeded(order, amount_minor=amount, currency=currency)
    await deliveries.hand_over(wrong, wrong)
    ((_, wanted),) = await deliveries.published("refund.requested")
    assert (wanted["payment_id"], wanted["amount_minor"], wanted["currency"]) == (
        str(wrong.payment_id),
        amount,
        currency,
    )
    waiting = await learner.order_now(order["id"])
    assert (waiting["status"], waiting["payment"], waiting["invoice_number"]) == (
        "pending_payment",
        "returned",
        None,
    )
    assert (waiting["payments"][0]["status"], waiting["payments"][0]["amount"]["text"]) == ("returned", shown)
    (refund,) = waiting["refunds"]
    assert (refund["reason"], refund["status"]) == ("wrong_amount", "requested")
    assert (refund["amount"]["text"], refund["amount"]["currency"]) == (shown, currency)

    done = deliveries.refunded(order, wrong.payment_id, refund["id"], amount, currency=currency)
    await deliveries.hand_over(done, done)
    ((_, told),) = await deliveries.published("order.refunded")
    assert (told["amount_minor"], told["currency"]) == (amount, currency)
    after = await learner.order_now(order["id"])
    assert (after["status"], after["refunds"][0]["status"]) == ("pending_payment", "done")
    assert [entry["what"] for entry in after["timeline"]] == [
        "order.created",
        "payment.succeeded",
        "refund.requested",
        "order.refunded",
    ]
    await deliveries.pay(order)
    assert (await learner.order_now(order["id"]))["status"] == "fulfilled", "the right amount still pays it"


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"order_id": UUID(int=1)}, "there is no order"),
        ({"amount_minor": 0}, "amount_minor must be 1 or more"),
        ({"amount_minor": -49_900}, "amount_minor must be 1 or more"),
        ({"amount_minor": 2**63}, "minor"),
        ({"currency": "ABC"}, "ABC"),
        ({"currency": "inr"}, "inr"),
    ],
)
async def test_a_payment_that_cannot_be_is_left_to_a_person_and_changes_nothing(
    shop: Shop, learner: Person, deliveries: Deliveries, wrong: dict[str, Any], cause: str
) -> None:
    order = await learner.order(await shop.variant())
    with pytest.raises(Reject, match=cause):
        await deliveries.hand_over(deliveries.succeeded(order, **wrong))
    assert await learner.order_now(order["id"]) == order
    assert await deliveries.types() == ["order.created"]


async def test_m21_money_that_came_twice_is_told_with_its_way_back_and_changes_nothing(
    shop: Shop, learner: Person, deliveries: Deliveries
) -> None:
    order = await learner.order(
        await shop.variant(),
    )
    payment_id = await deliveries.pay(order)
    paid = await learner.order_now(order["id"])
    received, returned = deliveries.surplus(order, payment_id)
    await deliveries.hand_over(received, returned)
    shown = await learner.order_now(order["id"])
    told = {entry["what"]: entry for entry in shown["timeline"][-2:]}
    assert list(told) == ["surplus.received", "surplus.returned"]
    assert told["surplus.received"]["ids"]["surplus_id"] == str(received.surplus_id)
    assert told["surplus.returned"]["ids"]["rrn"] == returned.rrn
    assert {**shown, "timeline": []} == {**paid, "timeline": []}


async def test_invoices_are_numbered_without_gaps_within_the_financial_year(
    shop: Shop, learner: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    orders = [await learner.order(await shop.variant()) for _ in range(3)]
    await deliveries.pay(orders[0])
    await deliveries.hand_over(deliveries.succeeded(orders[1], amount_minor=1))
    await deliveries.pay(orders[1])
    clock.advance(timedelta(days=120))  # past 1 April
    fresh = await learner.order(await shop.variant())
    await deliveries.pay(fresh)
    numbers = [(await learner.order_now(one["id"]))["invoice_number"] for one in [*orders[:2], fresh]]
    assert numbers == ["SU/25-26/000001", "SU/25-26/000002", "SU/26-27/000001"]


async def test_a_course_bought_twice_is_revoked_when_the_last_of_it_is_refunded(
    shop: Shop, learner: Person, support: Person, deliveries: Deliveries
) -> None:
    course_id = await shop.course()
    variants = [(await shop.product(course_id=course_id))["variants"][0]["id"] for _ in range(2)]
    orders = [await learner.order(variant) for variant in variants]
    payments = [await deliveries.pay(order) for order in orders]
    assert (await deliveries.types()).count("entitlement.granted") == 1
    for order, payment, rights in zip(orders, payments, (1, 0), strict=True):
        refund = ok(await support.post(f"/v1/orders/{order['id']}/refunds"))
        await deliveries.hand_over(deliveries.refunded(order, payment, refund["id"], 49_900))
        assert len(ok(await learner.get("/v1/entitlements"))["items"]) == rights
    assert (await deliveries.types()).count("entitlement.revoked") == 1


async def test_a_user_whose_token_is_not_a_persons_has_no_orders(shop: Shop, nobody: Person) -> None:
    problem(await nobody.get("/v1/orders"), 401, "unauthenticated")
