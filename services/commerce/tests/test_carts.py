"""Carts: anybody's who knows the id, until a user claims them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration


async def test_a_cart_shows_prices_with_the_tax_inside_them(shop: Shop, nobody: Person) -> None:
    cart = await nobody.cart(await shop.variant(max_per_order=5), quantity=2)
    assert cart["total"] == {"minor": 99_800, "currency": "INR", "text": "998.00"}
    assert (cart["tax"]["minor"], cart["discount"]["minor"], cart["orderable"]) == (15_224, 0, True)
    assert cart["lines"][0]["unit"]["text"] == "499.00"
    assert cart["lines"][0]["title"] == "Python · Self-paced"


@pytest.mark.parametrize(
    ("currency", "total", "tax"),
    [("JPY", "900", "137"), ("KWD", "1.755", "0.268"), ("CLF", "0.1501", "0.0229")],
)
async def test_m17_carts_in_currencies_with_other_decimals(
    shop: Shop, nobody: Person, currency: str, total: str, tax: str
) -> None:
    cart = await nobody.cart(await shop.variant(), currency=currency)
    assert (cart["total"]["text"], cart["tax"]["text"]) == (total, tax)


async def test_lines_are_put_and_taken_out(shop: Shop, nobody: Person) -> None:
    first, second = await shop.variant(), await shop.variant()
    cart = await nobody.cart(first, second)
    left = ok(await nobody.delete(f"/v1/carts/{cart['id']}/lines/{first}"))
    assert [line["variant_id"] for line in left["lines"]] == [second]
    empty = ok(await nobody.delete(f"/v1/carts/{cart['id']}/lines/{second}"))
    assert (empty["lines"], empty["total"]["minor"], empty["orderable"]) == ([], 0, False)


async def test_what_cannot_be_bought_is_refused_with_the_way_out(
    shop: Shop, nobody: Person, seller: Person
) -> None:
    made = await shop.product(capacity=1, max_per_order=2, prices=[{"currency": "INR", "amount": "1.00"}])
    variant = made["variants"][0]["id"]
    cart = await nobody.cart()
    path = f"/v1/carts/{cart['id']}/lines/{variant}"
    assert "at most 2" in problem(await nobody.put(path, {"quantity": 3}), 409, "cart-not-orderable")["rule"]
    assert "one seat is" in problem(await nobody.put(path, {"quantity": 2}), 409, "sold-out")["rule"]
    wrong = problem(await nobody.put(path, {"quantity": 0}), 422, "invalid")
    assert wrong["field"] == "body.quantity"
    yen = ok(await nobody.post("/v1/carts", {"currency": "JPY"}))
    other = await nobody.put(f"/v1/carts/{yen['id']}/lines/{variant}", {})
    assert "INR" in problem(other, 409, "cart-not-orderable")["fix"]
    ok(await seller.patch(f"/v1/products/{made['id']}", {"active": False}))
    problem(await nobody.put(path, {"quantity": 1}), 409, "cart-not-orderable")


async def test_an_unknown_currency_is_refused(nobody: Person) -> None:
    wrong = problem(await nobody.post("/v1/carts", {"currency": "XXQ"}), 422, "invalid")
    assert wrong["field"] == "body.currency"


async def test_a_user_has_one_open_cart_however_often_and_in_parallel_they_begin_one(learner: Person) -> None:
    answers = await asyncio.gather(*(learner.post("/v1/carts", {}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await learner.client.post("/v1/carts", headers=learner.headers)).status_code == 200


async def test_a_cart_is_kept_across_signing_in(shop: Shop, nobody: Person, learner: Person) -> None:
    variant = await shop.variant()
    cart = await nobody.cart(variant)
    claimed = ok(await learner.post(f"/v1/carts/{cart['id']}/claim"))
    assert (claimed["id"], claimed["lines"][0]["variant_id"]) == (cart["id"], variant)
    problem(await nobody.get(f"/v1/carts/{cart['id']}"), 404, "not-found")
    assert ok(await learner.post("/v1/carts", {}))["id"] == cart["id"]


async def test_a_claimed_cart_joins_the_one_that_the_user_has(
    shop: Shop, nobody: Person, learner: Person
) -> None:
    both, only, coupon = await shop.variant(), await shop.variant(), await shop.coupon("JOIN", permille=100)
    own = await learner.cart(both)
    anonymous = await nobody.cart(both, only)
    ok(await nobody.put(f"/v1/carts/{anonymous['id']}/coupon", {"code": "join"}))
    for _ in range(2):
        joined = ok(await learner.post(f"/v1/carts/{anonymous['id']}/claim"))
        assert joined["id"] == own["id"]
        assert [(line["variant_id"], line["quantity"]) for line in joined["lines"]] == [(both, 1), (only, 1)]
        assert joined["coupon_code"] == coupon["code"]
    problem(await nobody.get(f"/v1/carts/{anonymous['id']}"), 404, "not-found")


async def test_carts_in_two_currencies_do_not_mix(shop: Shop, nobody: Person, learner: Person) -> None:
    variant = await shop.variant()
    await learner.cart(variant)
    wrong = problem(await learner.post("/v1/carts", {"currency": "JPY"}), 409, "cart-not-orderable")
    assert wrong["field"] == "body.currency"


async def test_of_two_carts_in_different_currencies_neither_is_thrown_away_for_the_other(
    shop: Shop, nobody: Person, learner: Person, database: Database
) -> None:
    variant = await shop.variant()
    own = await learner.cart(variant)
    yen = await nobody.cart(variant, currency="JPY")
    claim = f"/v1/carts/{yen['id']}/claim"
    async with unchanged(database):
        for _ in range(2):
            wrong = problem(await learner.post(claim), 409, "cart-not-orderable")
            assert wrong["field"] == "path.cart_id"
            assert "INR" in wrong["rule"]
    assert ok(await learner.post("/v1/carts", {}))["lines"] == own["lines"]
    assert ok(await learner.get(f"/v1/carts/{yen['id']}"))["lines"] == yen["lines"]
    ok(await learner.post("/v1/orders", {"cart_id": own["id"]}))
    assert ok(await learner.post(claim))["id"] == yen["id"]


async def test_a_cart_that_stays_unclaimed_can_be_ordered_by_its_user(
    shop: Shop, nobody: Person, learner: Person
) -> None:
    own = await learner.cart(await shop.variant())
    yen = await nobody.cart(await shop.variant(), currency="JPY")
    problem(await learner.post(f"/v1/carts/{yen['id']}/claim"), 409, "cart-not-orderable")
    ordered = ok(await learner.post("/v1/orders", {"cart_id": yen["id"]}))
    assert (ordered["user_id"], ordered["total"]) == (learner.id, yen["total"])
    assert ok(await learner.post("/v1/carts", {}))["id"] == own["id"]


async def test_an_empty_cart_in_another_currency_takes_nothing_from_the_users_own(
    shop: Shop, nobody: Person, learner: Person
) -> None:
    own = await learner.cart(await shop.variant())
    ok(
        await learner.put(
            f"/v1/carts/{own['id']}/coupon", {"code": (await shop.coupon("OWN", permille=100))["code"]}
        )
    )
    yen = await nobody.cart(currency="JPY")
    for _ in range(2):
        kept = ok(await learner.post(f"/v1/carts/{yen['id']}/claim"))
        assert (kept["id"], kept["currency"], kept["coupon_code"]) == (own["id"], "INR", "OWN")
        assert kept["lines"][0]["variant_id"] == own["lines"][0]["variant_id"]
    problem(await nobody.get(f"/v1/carts/{yen['id']}"), 404, "not-found")


async def test_an_empty_cart_of_the_users_takes_what_a_claimed_one_has_in_its_currency(
    shop: Shop, nobody: Person, learner: Person
) -> None:
    own = await learner.cart()
    yen = await nobody.cart(await shop.variant(), currency="JPY")
    for _ in range(2):
        claimed = ok(await learner.post(f"/v1/carts/{yen['id']}/claim"))
        assert (claimed["id"], claimed["total"]) == (own["id"], yen["total"])
        assert claimed["orderable"] is True
    assert ok(await learner.post("/v1/carts", {}))["id"] == own["id"]


async def test_a_cart_that_somebody_claimed_is_nobody_elses(
    shop: Shop, nobody: Person, learner: Person, signed_in: Callable[..., Person]
) -> None:
    peer = signed_in()
    await learner.cart(await shop.variant())
    anonymous = await nobody.cart(await shop.variant())
    ok(await learner.post(f"/v1/carts/{anonymous['id']}/claim"))
    problem(await peer.post(f"/v1/carts/{anonymous['id']}/claim"), 404, "not-found")


async def test_a_changed_price_is_shown_until_the_line_is_put_again(
    shop: Shop, seller: Person, learner: Person
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    cart = await learner.cart(variant)
    prices = [{"currency": "INR", "amount": "599.00"}]
    ok(await seller.patch(f"/v1/products/{made['id']}/variants/{variant}", {"prices": prices}))
    shown = ok(await learner.get(f"/v1/carts/{cart['id']}"))
    assert (shown["lines"][0]["unit_before"]["text"], shown["lines"][0]["unit"]["text"]) == (
        "499.00",
        "599.00",
    )
    assert shown["orderable"] is False
    accepted = ok(await learner.put(f"/v1/carts/{cart['id']}/lines/{variant}", {}))
    assert (accepted["lines"][0]["unit_before"], accepted["orderable"]) == (None, True)


async def test_m19_a_cart_that_nobody_touches_is_forgotten_by_the_clock(
    shop: Shop, nobody: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    cart = await nobody.cart()
    clock.advance(timedelta(days=20))
    ok(await nobody.put(f"/v1/carts/{cart['id']}/lines/{await shop.variant()}", {}))
    clock.advance(timedelta(days=10))
    await deliveries.do_what_is_due()
    assert (await nobody.get(f"/v1/carts/{cart['id']}")).status_code == 200
    clock.advance(timedelta(days=20))
    await deliveries.do_what_is_due()
    problem(await nobody.get(f"/v1/carts/{cart['id']}"), 404, "not-found")
