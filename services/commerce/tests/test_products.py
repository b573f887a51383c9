"""Sellers offer products; everybody sees those for sale."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from services.commerce.store.tables import PriceListRow
from services.commerce.tests.people import Person, ok, problem
from services.commerce.tests.shop import PRICES, Shop
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.ids import new_id
from suuupra.testing.unchanged import unchanged

pytestmark = pytest.mark.integration


async def test_a_product_shows_its_course_and_exact_prices_in_every_currency(
    shop: Shop, nobody: Person
) -> None:
    course_id = await shop.course("The Python Tutorial")
    made = await shop.product(course_id=course_id)
    shown = ok(await nobody.get(f"/v1/products/{made['id']}"))
    assert shown["course"] == {
        "id": str(course_id),
        "slug": "the-python-tutorial",
        "title": "The Python Tutorial",
    }
    assert {
        price["currency"]: (price["minor"], price["text"]) for price in shown["variants"][0]["prices"]
    } == {
        "INR": (49_900, "499.00"),
        "JPY": (900, "900"),
        "KWD": (1_755, "1.755"),
        "CLF": (1_501, "0.1501"),
    }
    assert (shown["tax_permille"], shown["sac"]) == (180, "999293")


async def test_the_list_is_of_what_is_for_sale_and_can_be_asked_by_course(shop: Shop, nobody: Person) -> None:
    first, second = await shop.product(), await shop.product()
    listed = ok(await nobody.get("/v1/products"))["items"]
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    of_course = ok(await nobody.get("/v1/products", course_id=first["course"]["id"]))["items"]
    assert [one["id"] for one in of_course] == [first["id"]]
    page = ok(await nobody.get("/v1/products", limit=1))
    rest = ok(await nobody.get("/v1/products", limit=1, cursor=page["next"]))
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([first["id"]], None)


async def test_what_is_not_for_sale_is_shown_to_its_seller_only(
    shop: Shop, seller: Person, nobody: Person, learner: Person
) -> None:
    made = await shop.product()
    ok(await seller.patch(f"/v1/products/{made['id']}", {"active": False}))
    assert ok(await nobody.get("/v1/products"))["items"] == []
    for other in (nobody, learner):
        problem(await other.get(f"/v1/products/{made['id']}"), 404, "not-found")
    assert ok(await seller.get(f"/v1/products/{made['id']}"))["active"] is False
    assert len(ok(await seller.get("/v1/products", mine=True))["items"]) == 1
    assert ok(await learner.get("/v1/products", mine=True))["items"] == []
    assert (await nobody.get("/v1/products", mine=True)).status_code == 401


async def test_a_course_that_is_withdrawn_is_not_sold_until_it_is_published_again(
    shop: Shop, nobody: Person, clock: FakeClock
) -> None:
    course_id = await shop.course()
    await shop.product(course_id=course_id)
    clock.advance(1)
    withdrawn = shop.unpublished(course_id)
    await shop.deliveries.hand_over(withdrawn)
    assert ok(await nobody.get("/v1/products"))["items"] == []
    clock.advance(1)
    again = shop.published(course_id, "Renamed", revision=2)
    await shop.deliveries.hand_over(again, withdrawn)
    (shown,) = ok(await nobody.get("/v1/products"))["items"]
    assert shown["course"]["title"] == "Renamed"


async def test_only_the_owner_of_a_published_course_sells_it_and_operators_sell_any(
    shop: Shop, seller: Person, signed_in: Callable[..., Person]
) -> None:
    theirs = await shop.course(owner="somebody else")
    body = {
        "title": "x",
        "course_id": str(theirs),
        "variants": [{"title": "x", "prices": PRICES}],
    }
    wrong = problem(await seller.post("/v1/products", body), 422, "invalid")
    assert wrong["field"] == "body.course_id"
    unknown = {**body, "course_id": str(uuid4())}
    operator = signed_in(None, "commerce:write", ("operator",))
    problem(await operator.post("/v1/products", unknown), 422, "invalid")
    assert ok(await operator.post("/v1/products", body))["course"]["id"] == str(theirs)


@pytest.mark.parametrize(
    ("price", "field", "said"),
    [
        ({"currency": "INR", "amount": "1.234"}, "amount", "at most 2 decimals"),
        ({"currency": "JPY", "amount": "1.5"}, "amount", "no decimals"),
        ({"currency": "INR", "amount": "-1"}, "amount", "from 0"),
        ({"currency": "INR", "amount": "9" * 30}, "amount", "at most"),
        ({"currency": "INR", "amount": 499.0}, "amount", "string"),
        ({"currency": "ZZZ", "amount": "1"}, "currency", "ISO 4217"),
    ],
)
async def test_a_wrong_price_is_refused_with_its_field(
    shop: Shop, seller: Person, nobody: Person, price: object, field: str, said: str
) -> None:
    body = {"title": "x", "variants": [{"title": "x", "prices": [price]}]}
    wrong = problem(await seller.post("/v1/products", body), 422, "invalid")
    assert wrong["field"] == f"body.variants[0].prices[0].{field}"
    assert said in wrong["rule"]
    assert ok(await nobody.get("/v1/products"))["items"] == []


async def test_two_prices_in_one_currency_are_refused(seller: Person) -> None:
    body = {"title": "x", "variants": [{"title": "x", "prices": [PRICES[0], PRICES[0]]}]}
    assert (
        problem(await seller.post("/v1/products", body), 422, "invalid")["field"] == "body.variants[0].prices"
    )


async def test_an_edit_says_which_version_it_changes(shop: Shop, seller: Person) -> None:
    made = await shop.product()
    path = f"/v1/products/{made['id']}"
    problem(await seller.patch(path, {"title": "y"}, match=None), 428, "precondition-required")
    changed = await seller.patch(path, {"title": "y"}, match='"1"')
    assert (ok(changed)["title"], changed.headers["ETag"]) == ("y", '"2"')
    problem(await seller.patch(path, {"title": "z"}, match='"1"'), 412, "precondition-failed")


async def test_a_variant_is_added_and_changed(shop: Shop, seller: Person, nobody: Person) -> None:
    made = await shop.product()
    path = f"/v1/products/{made['id']}/variants"
    added = ok(await seller.post(path, {"title": "Cohort", "prices": PRICES[:1], "capacity": 2}))
    cohort = added["variants"][1]
    assert (cohort["title"], cohort["seats_left"], cohort["prices"][0]["text"]) == ("Cohort", 2, "499.00")
    changes = {"title": "May cohort", "capacity": 5, "prices": [{"currency": "INR", "amount": "999.50"}]}
    ok(await seller.patch(f"{path}/{cohort['id']}", changes))
    shown = ok(await nobody.get(f"/v1/products/{made['id']}"))["variants"][1]
    assert (shown["title"], shown["seats_left"], shown["prices"][0]["minor"]) == ("May cohort", 5, 99_950)
    ok(await seller.patch(f"{path}/{cohort['id']}", {"active": False}))
    assert len(ok(await nobody.get(f"/v1/products/{made['id']}"))["variants"]) == 1


async def test_seats_never_become_fewer_than_are_sold_and_a_limit_neither_comes_nor_goes(
    shop: Shop, seller: Person, learner: Person
) -> None:
    made = await shop.product(capacity=3, max_per_order=3)
    variant = made["variants"][0]["id"]
    await learner.order(variant, quantity=2)
    path = f"/v1/products/{made['id']}/variants/{variant}"
    assert problem(await seller.patch(path, {"capacity": 1}), 409, "wrong-state")["field"] == "body.capacity"
    assert ok(await seller.patch(path, {"capacity": 2}))["variants"][0]["seats_left"] == 0
    free = await shop.product()
    path = f"/v1/products/{free['id']}/variants/{free['variants'][0]['id']}"
    problem(await seller.patch(path, {"capacity": 9}), 409, "wrong-state")


async def test_a_price_list_holds_for_its_time_before_the_usual_prices(
    shop: Shop, seller: Person, nobody: Person, clock: FakeClock
) -> None:
    made = await shop.product()
    variant = made["variants"][0]["id"]
    begins, ends = clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)
    body = {"code": "sale", "currency": "INR", "starts_at": begins.isoformat(), "ends_at": ends.isoformat()}
    sale = ok(await seller.post("/v1/price-lists", body))
    path = f"/v1/price-lists/{sale['id']}/prices/{variant}"
    listed = ok(await seller.put(path, {"currency": "INR", "amount": "399.00"}))
    assert listed["prices"][variant]["text"] == "399.00"

    async def rupees() -> str:
        shown = ok(await nobody.get(f"/v1/products/{made['id']}"))["variants"][0]["prices"]
        return next(str(price["text"]) for price in shown if price["currency"] == "INR")

    seen = [await rupees()]
    for _ in range(2):
        clock.advance(3600)
        seen.append(await rupees())
    assert seen == ["499.00", "399.00", "499.00"]
    assert ok(await seller.get("/v1/price-lists"))["items"][0]["code"] == "sale"
    wrong = problem(await seller.put(path, {"currency": "JPY", "amount": "1"}), 422, "invalid")
    assert wrong["field"] == "body.currency"
    assert ok(await seller.delete(path))["prices"] == {}
    problem(await seller.post("/v1/price-lists", body), 409, "code-taken")


async def test_the_platforms_own_lists_are_nobodys_to_begin(
    shop: Shop, seller: Person, signed_in: Callable[..., Person], clock: FakeClock
) -> None:
    """Whoever had the list that everybody's usual prices in a currency are kept on would decide what they mean."""
    over = (clock.now() - timedelta(days=1)).isoformat()
    for who in (seller, signed_in(None, "commerce:write", ("operator",))):
        taken = {"code": "standard-usd", "currency": "JPY", "ends_at": over}
        wrong = problem(await who.post("/v1/price-lists", taken), 422, "invalid")
        assert (wrong["field"], "the platform's" in wrong["rule"]) == ("body.code", True)
        assert ok(await who.get("/v1/price-lists", mine=True))["items"] == []
    made = await shop.product(prices=[{"currency": "USD", "amount": "49.00"}])
    assert made["variants"][0]["prices"] == [{"minor": 4_900, "currency": "USD", "text": "49.00"}]


@pytest.mark.parametrize(
    ("owner", "currency"), [("somebody else", "USD"), (None, "JPY"), ("somebody else", "JPY")]
)
async def test_a_list_that_only_has_the_code_of_a_platforms_list_takes_nobodys_prices(
    seller: Person, nobody: Person, database: Database, clock: FakeClock, owner: str | None, currency: str
) -> None:
    """As one might be from when such codes were not refused."""
    async with database.transaction() as tx:
        tx.add(
            PriceListRow(
                id=new_id(),
                owner=owner,
                code="standard-usd",
                currency=currency,
                priority=1,
                created_at=clock.now(),
            )
        )
    rupees, dollars = PRICES[0], {"currency": "USD", "amount": "49.00"}
    body = {"title": "x", "variants": [{"title": "x", "prices": [rupees, dollars]}]}
    async with unchanged(database):
        wrong = problem(await seller.post("/v1/products", body), 409, "code-taken")
    assert wrong["field"] == "body.variants[0].prices"
    assert "standard-usd" in wrong["rule"]
    body["variants"] = [{"title": "x", "prices": [rupees]}]
    made = ok(await seller.post("/v1/products", body))
    path = f"/v1/products/{made['id']}/variants/{made['variants'][0]['id']}"
    again = problem(await seller.patch(path, {"prices": [dollars]}), 409, "code-taken")
    assert again["field"] == "body.prices"
    shown = ok(await nobody.get(f"/v1/products/{made['id']}"))["variants"][0]["prices"]
    assert [price["currency"] for price in shown] == ["INR"]
