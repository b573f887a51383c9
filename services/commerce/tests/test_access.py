"""Who may do what: every route of the description × nobody, a peer, and somebody without the scope."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from services.commerce.tests.events import Deliveries
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import Shop
from suuupra.clock import FakeClock
from suuupra.testing.issuer import Issuer

pytestmark = pytest.mark.integration

PUBLIC = {
    ("GET", "/v1/products"),
    ("GET", "/v1/products/{product_id}"),
    ("POST", "/v1/carts"),
    ("GET", "/v1/carts/{cart_id}"),
    ("PUT", "/v1/carts/{cart_id}/lines/{variant_id}"),
    ("DELETE", "/v1/carts/{cart_id}/lines/{variant_id}"),
    ("PUT", "/v1/carts/{cart_id}/coupon"),
    ("DELETE", "/v1/carts/{cart_id}/coupon"),
}
"""What nobody in particular may ask for."""
SELLERS = ("/v1/price-lists", "/v1/coupons")


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method.upper(), path) for path, operation in app.openapi()["paths"].items() for method in operation
    ]


async def request(person: Person, method: str, path: str, body: Any = None) -> int:
    headers = {**person.headers, "If-Match": "*", "Idempotency-Key": str(uuid4())}
    return (await person.client.request(method, path, json=body or {}, headers=headers)).status_code


def filled(path: str, **ids: str) -> str:
    names = ("product_id", "variant_id", "list_id", "coupon_id", "cart_id", "order_id", "refund_id")
    return path.format(**{name: ids.get(name, str(uuid4())) for name in names})


async def test_nobody_gets_401_wherever_somebody_must_be_known(app: FastAPI, nobody: Person) -> None:
    for method, path in operations(app):
        status = await request(nobody, method, filled(path))
        assert (status == 401) is ((method, path) not in PUBLIC), (method, path, status)


async def test_a_learner_gets_403_where_only_sellers_or_support_may(app: FastAPI, learner: Person) -> None:
    for method, path in operations(app):
        selling = path.startswith(SELLERS) or (path.startswith("/v1/products") and method != "GET")
        refunding = "/refunds" in path
        if selling or refunding:
            assert await request(learner, method, filled(path)) == 403, (method, path)


async def test_a_peers_order_is_not_there(
    app: FastAPI, shop: Shop, learner: Person, signed_in: Callable[..., Person], deliveries: Deliveries
) -> None:
    order = await learner.order(await shop.variant())
    payment_id = await deliveries.pay(order)
    peer = signed_in()
    for method, path in operations(app):
        if "{order_id}" in path and "/refunds" not in path:
            assert await request(peer, method, filled(path, order_id=order["id"])) == 404, (method, path)
    for query in ({}, {"number": order["number"]}, {"payment_id": str(payment_id)}):
        assert ok(await peer.get("/v1/orders", **query))["items"] == []
    for query in ({"user_id": learner.id}, {"everyone": "true"}):
        problem(await peer.get("/v1/orders", **query), 403, "forbidden")
    assert ok(await peer.get("/v1/entitlements"))["items"] == []


async def test_a_peers_cart_is_not_there(
    app: FastAPI, shop: Shop, learner: Person, nobody: Person, signed_in: Callable[..., Person]
) -> None:
    variant = await shop.variant()
    cart = await learner.cart(variant)
    bodies = {"coupon": {"code": "ABC"}, variant: {"quantity": 1}}
    for other in (signed_in(), nobody):
        for method, path in operations(app):
            if "{cart_id}" not in path or (path.endswith("/claim") and other is nobody):
                continue
            address = filled(path, cart_id=cart["id"], variant_id=variant)
            body = bodies.get(address.rsplit("/", 1)[-1])
            assert await request(other, method, address, body) == 404, (method, path)
    peer = signed_in()
    problem(await peer.post("/v1/orders", {"cart_id": cart["id"]}), 404, "not-found")
    assert ok(await learner.get(f"/v1/carts/{cart['id']}"))["lines"][0]["quantity"] == 1


async def test_a_peers_products_and_offers_are_not_theirs_to_change(
    shop: Shop, seller: Person, signed_in: Callable[..., Person]
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    listed = ok(await seller.post("/v1/price-lists", {"code": "mine", "currency": "INR"}))
    peer = signed_in(None, "commerce:write", ("creator",))
    price = {"currency": "INR", "amount": "1.00"}
    own_list = ok(await peer.post("/v1/price-lists", {"code": "theirs", "currency": "INR"}))
    answers = [
        await peer.patch(f"/v1/products/{made['id']}", {"title": "x"}),
        await peer.post(f"/v1/products/{made['id']}/variants", {"title": "x", "prices": [price]}),
        await peer.patch(f"/v1/products/{made['id']}/variants/{variant}", {"title": "x"}),
        await peer.put(f"/v1/price-lists/{listed['id']}/prices/{variant}", price),
        await peer.delete(f"/v1/price-lists/{listed['id']}/prices/{variant}"),
        await peer.put(f"/v1/price-lists/{own_list['id']}/prices/{variant}", price),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert [one["code"] for one in ok(await peer.get("/v1/price-lists"))["items"]] == ["theirs"]


async def test_support_sees_every_order_by_number_payment_or_user(
    shop: Shop, learner: Person, support: Person
) -> None:
    order = await learner.order(await shop.variant())
    for query in ({"number": order["number"]}, {"user_id": learner.id}, {"everyone": "true"}):
        assert [one["id"] for one in ok(await support.get("/v1/orders", **query))["items"]] == [order["id"]]
    assert (await support.order_now(order["id"]))["user_id"] == learner.id
    assert ok(await support.get("/v1/orders"))["items"] == []
    problem(await support.post(f"/v1/orders/{order['id']}/cancel"), 404, "not-found")


async def test_a_token_that_is_no_persons_has_no_cart(
    nobody: Person, issuer: Issuer, clock: FakeClock
) -> None:
    bearer = {"Authorization": f"Bearer {issuer.mint('learner', 'some-client', clock=clock)}"}
    client = Person(nobody.client, bearer)
    problem(await client.post("/v1/carts", {}), 403, "forbidden")
    problem(await client.get("/v1/orders"), 403, "forbidden")


async def test_what_a_caller_may_not_say_is_refused(learner: Person) -> None:
    wrong = problem(await learner.post("/v1/carts", {"user_id": str(uuid4())}), 422, "invalid")
    assert (wrong["field"], wrong["rule"]) == ("body.user_id", "is not a known field")
