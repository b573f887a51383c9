"""Coupons take off what they say, as often as they may, whoever tries at once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock

pytestmark = pytest.mark.integration


async def with_coupon(person: Person, variant: str, code: str) -> dict[str, object]:
    cart = await person.cart(variant)
    return ok(await person.put(f"/v1/carts/{cart['id']}/coupon", {"code": code}))


async def test_a_share_and_an_amount_are_taken_off(shop: Shop, nobody: Person) -> None:
    variant = await shop.variant()
    await shop.coupon("SHARE", permille=125)
    await shop.coupon("AMOUNT", amount={"currency": "INR", "amount": "100.00"})
    cart = await with_coupon(nobody, variant, "share")
    assert (cart["discount"], cart["total"]) == (
        {"minor": 6_238, "currency": "INR", "text": "62.38"},
        {"minor": 43_662, "currency": "INR", "text": "436.62"},
    )
    other = ok(await nobody.put(f"/v1/carts/{cart['id']}/coupon", {"code": "AMOUNT"}))
    assert other["total"]["text"] == "399.00"
    without = ok(await nobody.delete(f"/v1/carts/{cart['id']}/coupon"))
    assert (without["coupon_code"], without["total"]["text"]) == (None, "499.00")


async def test_a_coupon_that_is_not_there_or_does_not_fit_says_why(
    shop: Shop, nobody: Person, seller: Person, clock: FakeClock
) -> None:
    cart = await nobody.cart(await shop.variant())
    path = f"/v1/carts/{cart['id']}/coupon"
    assert problem(await nobody.put(path, {"code": "NOSUCH"}), 422, "invalid")["field"] == "body.code"
    assert problem(await nobody.put(path, {"code": "a b"}), 422, "invalid")["field"] == "body.code"
    await shop.coupon("YEN", amount={"currency": "JPY", "amount": "10"})
    assert "JPY" in problem(await nobody.put(path, {"code": "YEN"}), 409, "coupon-refused")["rule"]
    other = await shop.product()
    await shop.coupon("OTHER", permille=10, product_ids=[other["id"]])
    problem(await nobody.put(path, {"code": "OTHER"}), 409, "coupon-refused")
    soon = (clock.now() + timedelta(hours=1)).isoformat()
    made = await shop.coupon("SOON", permille=10, starts_at=soon)
    problem(await nobody.put(path, {"code": "SOON"}), 409, "coupon-refused")
    clock.advance(3600)
    assert ok(await nobody.put(path, {"code": "SOON"}))["coupon_code"] == "SOON"
    ok(await seller.patch(f"/v1/coupons/{made['id']}", {"active": False}))
    shown = ok(await nobody.get(f"/v1/carts/{cart['id']}"))
    assert "offered" in shown["coupon_problem"]
    assert shown["total"]["text"] == "499.00"


async def test_a_coupon_is_spent_once_by_each_however_many_try_at_once(
    shop: Shop, learner: Person, signed_in: Callable[..., Person], deliveries: Deliveries
) -> None:
    await shop.coupon("LAST", permille=500, max_uses=3)
    variant = await shop.variant()
    people = [signed_in() for _ in range(8)]
    carts = [await with_coupon(person, variant, "LAST") for person in people]
    answers = await asyncio.gather(
        *(
            person.post("/v1/orders", {"cart_id": cart["id"]})
            for person, cart in zip(people, carts, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    for answer in answers:
        if answer.status_code == 409:
            assert "as often" in problem(answer, 409, "coupon-refused")["rule"]
    assert len(await deliveries.types()) == 3


async def test_a_user_who_used_a_coupon_is_refused_and_an_order_that_ends_gives_it_back(
    shop: Shop, learner: Person, seller: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    made = await shop.coupon("ONCE", permille=100)
    cart = await with_coupon(learner, await shop.variant(), "ONCE")
    first = ok(await learner.post("/v1/orders", {"cart_id": cart["id"]}))
    assert (first["coupon_code"], first["discount"]["minor"]) == ("ONCE", 4_990)
    again = await learner.cart(await shop.variant())
    path = f"/v1/carts/{again['id']}/coupon"
    assert "once by each" in problem(await learner.put(path, {"code": "ONCE"}), 409, "coupon-refused")["rule"]
    assert ok(await seller.get(f"/v1/coupons/{made['id']}"))["used"] == 1
    clock.advance(timedelta(minutes=15))
    await deliveries.do_what_is_due()
    assert ok(await seller.get(f"/v1/coupons/{made['id']}"))["used"] == 0
    assert ok(await learner.put(path, {"code": "ONCE"}))["discount"]["minor"] == 4_990


async def test_a_coupon_put_before_signing_in_is_judged_for_the_user_at_checkout(
    shop: Shop, nobody: Person, learner: Person
) -> None:
    await shop.coupon("ONCE", permille=100)
    first = await with_coupon(learner, await shop.variant(), "ONCE")
    ok(await learner.post("/v1/orders", {"cart_id": first["id"]}))
    second = await with_coupon(nobody, await shop.variant(), "ONCE")
    wrong = problem(await learner.post("/v1/orders", {"cart_id": second["id"]}), 409, "coupon-refused")
    assert wrong["field"] == "cart.coupon"


async def test_a_coupon_is_for_its_sellers_products_and_an_operators_for_all(
    shop: Shop, nobody: Person, signed_in: Callable[..., Person]
) -> None:
    other = signed_in(None, "commerce:write", ("creator",))
    operator = signed_in(None, "commerce:write", ("operator",))
    ok(await other.post("/v1/coupons", {"code": "THEIRS", "permille": 100}))
    ok(await operator.post("/v1/coupons", {"code": "ALL", "permille": 100, "platform": True}))
    problem(
        await other.post("/v1/coupons", {"code": "X-1", "permille": 1, "platform": True}), 403, "forbidden"
    )
    cart = await nobody.cart(await shop.variant())
    path = f"/v1/carts/{cart['id']}/coupon"
    problem(await nobody.put(path, {"code": "THEIRS"}), 409, "coupon-refused")
    assert ok(await nobody.put(path, {"code": "ALL"}))["discount"]["minor"] == 4_990


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": "BAD"}, "body"),
        ({"code": "BAD", "permille": 1, "amount": {"currency": "INR", "amount": "1"}}, "body"),
        ({"code": "BAD", "amount": {"currency": "INR", "amount": "0"}}, "body.amount.amount"),
        ({"code": "BAD", "permille": 1001}, "body.permille"),
        (
            {
                "code": "BAD",
                "permille": 1,
                "starts_at": "2026-01-02T00:00:00Z",
                "ends_at": "2026-01-01T00:00:00Z",
            },
            "body.ends_at",
        ),
    ],
)
async def test_a_coupon_that_makes_no_sense_is_refused(seller: Person, body: object, field: str) -> None:
    assert problem(await seller.post("/v1/coupons", body), 422, "invalid")["field"] == field


async def test_coupons_are_listed_and_changed_by_their_seller_only(
    shop: Shop, seller: Person, signed_in: Callable[..., Person]
) -> None:
    made = await shop.coupon("MINE", permille=10, max_uses=5)
    problem(await seller.post("/v1/coupons", {"code": "mine", "permille": 1}), 409, "code-taken")
    changed = await seller.patch(f"/v1/coupons/{made['id']}", {"max_uses": 7}, match='"1"')
    assert (ok(changed)["max_uses"], changed.headers["ETag"]) == (7, '"2"')
    assert [one["code"] for one in ok(await seller.get("/v1/coupons"))["items"]] == ["MINE"]
    other = signed_in(None, "commerce:write", ("creator",))
    assert ok(await other.get("/v1/coupons"))["items"] == []
    problem(await other.get(f"/v1/coupons/{made['id']}"), 404, "not-found")
    problem(await other.patch(f"/v1/coupons/{made['id']}", {"active": False}), 404, "not-found")
