"""Values from people who mean harm, or whose program is broken: refused by field, or kept as they came; never a 500."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import PRICES, Shop
from suuupra.testing import hostile

pytestmark = pytest.mark.integration

VALUES: list[Any] = [*hostile.TEXTS, *hostile.NUMBERS, None, [], {}, True]


async def send(person: Person, method: str, path: str, body: Any) -> httpx.Response:
    """The body as a careless program writes it: half characters escaped."""
    headers = {
        **person.headers,
        "content-type": "application/json",
        "If-Match": "*",
        "Idempotency-Key": str(uuid4()),
    }
    return await person.client.request(method, path, content=json.dumps(body), headers=headers)


def product(**other: Any) -> dict[str, Any]:
    return {"title": "x", "variants": [{"title": "x", "prices": PRICES[:1]}], **other}


def variant(**other: Any) -> dict[str, Any]:
    return product(variants=[{"title": "x", "prices": PRICES[:1], **other}])


async def test_no_value_in_any_field_of_a_request_becomes_a_fault_of_ours(
    shop: Shop, seller: Person, learner: Person, support: Person
) -> None:
    made = await shop.product()
    order = await learner.order(made["variants"][0]["id"])
    cart = await learner.cart()
    orders, carts = "/v1/orders", f"/v1/carts/{cart['id']}"
    line = f"{carts}/lines/{made['variants'][0]['id']}"
    for value in VALUES:
        tries = [
            *(
                (seller, "POST", "/v1/products", product(**{name: value}))
                for name in ("title", "description")
            ),
            *((seller, "POST", "/v1/products", product(**{name: value})) for name in ("course_id", "sac")),
            (seller, "POST", "/v1/products", product(tax_permille=value)),
            *((seller, "POST", "/v1/products", variant(**{name: value})) for name in ("title", "capacity")),
            (seller, "POST", "/v1/products", variant(max_per_order=value)),
            (seller, "POST", "/v1/products", variant(prices=[{"currency": value, "amount": "1"}])),
            (seller, "POST", "/v1/products", variant(prices=[{"currency": "INR", "amount": value}])),
            (seller, "PATCH", f"/v1/products/{made['id']}", {"description": value}),
            (seller, "POST", "/v1/coupons", {"code": value, "permille": 1}),
            (seller, "POST", "/v1/coupons", {"code": "ABC", "permille": value}),
            (seller, "POST", "/v1/coupons", {"code": "ABC", "permille": 1, "starts_at": value}),
            (seller, "POST", "/v1/price-lists", {"code": value, "currency": "INR"}),
            (learner, "POST", "/v1/carts", {"currency": value}),
            (learner, "PUT", line, {"quantity": value}),
            (learner, "PUT", f"{carts}/coupon", {"code": value}),
            (learner, "POST", orders, {"cart_id": value}),
            (learner, "POST", orders, {"cart_id": cart["id"], "expires_in": value}),
            (learner, "POST", orders, {"cart_id": cart["id"], "total": {"currency": "INR", "amount": value}}),
            (support, "POST", f"{orders}/{order['id']}/refunds", {"amount": value}),
        ]
        for person, method, path, body in tries:
            answer = await send(person, method, path, body)
            assert answer.status_code < 500, (path, body, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["errors"][0]["fix"], (path, body)


async def test_no_cursor_or_query_becomes_a_fault_of_ours(learner: Person, seller: Person) -> None:
    for cursor in hostile.CURSORS:
        for person, path in ((learner, "/v1/orders"), (learner, "/v1/products"), (seller, "/v1/coupons")):
            status = (await person.get(path, cursor=cursor)).status_code
            assert status in (200, 422), (path, cursor)
    for name in ("number", "status", "payment_id", "user_id", "limit"):
        for value in ("", "x", "'; --", "-1", "9" * 40):
            assert (await learner.get("/v1/orders", **{name: value})).status_code < 500, (name, value)


async def test_a_total_that_no_column_holds_is_refused_and_the_cart_stays_as_it_was(
    shop: Shop, learner: Person
) -> None:
    dear = [{"currency": "JPY", "amount": "1" + "0" * 15}]
    variants = [await shop.variant(prices=dear, max_per_order=1000) for _ in range(10)]
    cart = ok(await learner.post("/v1/carts", {"currency": "JPY"}))
    answers = [
        await learner.put(f"/v1/carts/{cart['id']}/lines/{one}", {"quantity": 1000}) for one in variants
    ]
    assert [answer.status_code for answer in answers] == [200] * 9 + [409]
    assert problem(answers[-1], 409, "cart-not-orderable")["field"] == "cart.total"
    assert len(ok(await learner.get(f"/v1/carts/{cart['id']}"))["lines"]) == 9
