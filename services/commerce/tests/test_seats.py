"""Seats of a limited cohort are held while an order waits, and never sold twice."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock

pytestmark = pytest.mark.integration


async def left(person: Person, product_id: str) -> int:
    return int(ok(await person.get(f"/v1/products/{product_id}"))["variants"][0]["seats_left"])


async def test_more_buyers_than_seats_at_once_get_exactly_the_seats_there_are(
    shop: Shop, nobody: Person, signed_in: Callable[..., Person]
) -> None:
    made = await shop.product(capacity=3)
    people = [signed_in() for _ in range(10)]
    carts = [await person.cart(made["variants"][0]["id"]) for person in people]
    answers = await asyncio.gather(
        *(
            person.post("/v1/orders", {"cart_id": cart["id"]})
            for person, cart in zip(people, carts, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert {answer.json()["type"].rsplit(":")[-1] for answer in answers if answer.status_code == 409} <= {
        "sold-out",
        "cart-not-orderable",
    }
    assert await left(nobody, made["id"]) == 0


async def test_orders_for_two_limited_variants_in_different_order_do_not_deadlock(
    shop: Shop, signed_in: Callable[..., Person]
) -> None:
    variants = [await shop.variant(capacity=50) for _ in range(2)]
    people = [signed_in() for _ in range(10)]
    carts = [
        await person.cart(*(variants if place % 2 else reversed(variants)))
        for place, person in enumerate(people)
    ]
    answers = await asyncio.gather(
        *(
            person.post("/v1/orders", {"cart_id": cart["id"]})
            for person, cart in zip(people, carts, strict=True)
        )
    )
    assert {answer.status_code for answer in answers} == {201}


async def test_m19_a_held_seat_is_free_again_when_the_order_expires_and_not_before(
    shop: Shop, learner: Person, nobody: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    made = await shop.product(capacity=1)
    await learner.order(made["variants"][0]["id"])
    clock.advance(timedelta(minutes=14, seconds=59))
    await deliveries.do_what_is_due()
    assert await left(nobody, made["id"]) == 0
    clock.advance(1)
    await deliveries.do_what_is_due()
    assert await left(nobody, made["id"]) == 1


async def test_a_seat_comes_back_once_by_cancelling_and_by_a_full_refund(
    shop: Shop, learner: Person, support: Person, nobody: Person, deliveries: Deliveries
) -> None:
    made = await shop.product(capacity=2)
    order = await learner.order(made["variants"][0]["id"])
    for _ in range(2):
        ok(await learner.post(f"/v1/orders/{order['id']}/cancel"))
    assert await left(nobody, made["id"]) == 2
    paid = await learner.order(made["variants"][0]["id"])
    payment = await deliveries.pay(paid)
    part = ok(await support.post(f"/v1/orders/{paid['id']}/refunds", _rupees("100.00")))
    await deliveries.hand_over(deliveries.refunded(paid, payment, part["id"], 10_000))
    assert await left(nobody, made["id"]) == 1
    rest = ok(await support.post(f"/v1/orders/{paid['id']}/refunds"))
    await deliveries.hand_over(deliveries.refunded(paid, payment, rest["id"], 39_900))
    assert await left(nobody, made["id"]) == 2


def _rupees(amount: str) -> dict[str, dict[str, str]]:
    return {"amount": {"currency": "INR", "amount": amount}}


async def test_a_sold_seat_stays_sold_after_the_time_the_order_had(
    shop: Shop, learner: Person, nobody: Person, deliveries: Deliveries, clock: FakeClock
) -> None:
    made = await shop.product(capacity=1)
    await deliveries.pay(await learner.order(made["variants"][0]["id"]))
    clock.advance(timedelta(days=1))
    await deliveries.do_what_is_due()
    assert await left(nobody, made["id"]) == 0
    cart = await nobody.cart()
    path = f"/v1/carts/{cart['id']}/lines/{made['variants'][0]['id']}"
    assert "no seat is" in problem(await nobody.put(path, {}), 409, "sold-out")["rule"]
