"""The cart: a visitor's, without an account and without a database; and the price and access of courses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from services.web.clients.commerce import OFFERS_KEPT_SECONDS
from services.web.settings import Settings
from services.web.tests.conftest import OURS, World, browsing, web_of
from services.web.tests.markup import one, tree

COURSE, LESSON = "/courses/rust", "/courses/rust/lessons/ownership"


@pytest_asyncio.fixture
async def visitor(settings: Settings, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of somebody without an account."""
    app = web_of(settings, world)
    async with app.router.lifespan_context(app), browsing(app) as client:
        yield client


def variant(world: World) -> str:
    return str(world.shop.variant(world.content.courses[-1]))


async def add(client: httpx.AsyncClient, world: World, **more: str) -> httpx.Response:
    return await client.post("/cart/lines", data={"variant_id": variant(world), **more}, headers=OURS)


async def test_the_catalogue_says_what_a_course_costs_and_what_is_free(visitor: httpx.AsyncClient) -> None:
    cards = tree(await visitor.get("/")).css(".course-card")
    assert [one(card, ".card-price").text().strip() for card in cards] == ["Free", "Free", "₹499.00"]


async def test_a_course_says_its_price_with_tax_and_marks_what_is_locked(visitor: httpx.AsyncClient) -> None:
    page = tree(await visitor.get(COURSE))
    assert one(page, ".offer-price").text().split() == ["₹499.00", "including", "18%", "GST"]
    assert [node.text().strip() for node in page.css(".lessons .mark")] == ["", "Locked:"]
    assert one(page, ".course-start a.button").attributes["href"] == "/courses/rust/lessons/hello"


async def test_a_locked_lesson_offers_its_course(visitor: httpx.AsyncClient, world: World) -> None:
    answer = await visitor.get(LESSON)
    page = tree(answer)
    assert answer.status_code == 403
    assert one(page, "h1").text() == "Ownership"
    assert one(page, "input[name=variant_id]").attributes["value"] == variant(world)
    assert one(page, ".actions a[href^='/session/login']").attributes["href"] == (
        "/session/login?to=%2Fcourses%2Frust%2Flessons%2Fownership"
    )
    assert "noindex" in answer.text


async def test_a_preview_lesson_is_read_by_anybody(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/courses/rust/lessons/hello")).status_code == 200


async def test_a_visitor_fills_a_cart_that_only_their_browser_knows(
    visitor: httpx.AsyncClient, world: World
) -> None:
    added = await add(visitor, world)
    assert (added.status_code, added.headers["location"]) == (303, "/cart")
    for attribute in ("suuupra_cart=", "HttpOnly", "SameSite=lax"):
        assert attribute in added.headers["set-cookie"]
    page = tree(await visitor.get("/cart"))
    assert one(page, ".cart-line h2").text() == "Rust"
    assert one(page, ".sum-total dd").text() == "₹499.00"
    assert one(page, ".site-nav .count").text() == "1"
    visitor.cookies.clear()
    assert "The cart is empty" in (await visitor.get("/cart")).text


async def test_putting_the_same_twice_is_having_it_once(visitor: httpx.AsyncClient, world: World) -> None:
    for _ in range(2):
        await add(visitor, world)
    assert len(world.shop.carts) == 1
    assert len(tree(await visitor.get("/cart")).css(".cart-line")) == 1


async def test_a_line_can_be_taken_out(visitor: httpx.AsyncClient, world: World) -> None:
    await add(visitor, world)
    await add(visitor, world, quantity="0")
    assert "The cart is empty" in (await visitor.get("/cart")).text


async def test_a_coupon_takes_off_and_can_be_taken_away(visitor: httpx.AsyncClient, world: World) -> None:
    await add(visitor, world)
    await visitor.post("/cart/coupon", data={"code": " WELCOME10 "}, headers=OURS)
    sums = [node.text() for node in tree(await visitor.get("/cart")).css(".sums dd")]
    assert sums == ["₹499.00", "−₹49.90", "₹449.10", "₹68.50"]
    await visitor.post("/cart/coupon", headers=OURS)
    assert "₹449.10" not in (await visitor.get("/cart")).text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("NOSUCH", "The coupon must be a coupon that is there"),
        ("no such thing!", "3 to 32 letters"),
        ("<script>", "3 to 32 letters"),
    ],
)
async def test_a_coupon_that_does_not_work_is_told_at_its_field(
    visitor: httpx.AsyncClient, world: World, code: str, said: str
) -> None:
    await add(visitor, world)
    answer = await visitor.post("/cart/coupon", data={"code": code}, headers=OURS)
    page = tree(answer)
    assert answer.status_code == 409
    assert said in one(page, "#code-error").text()
    field = one(page, "#code")
    assert (field.attributes["value"], field.attributes["aria-invalid"]) == (code, "true")
    assert field.attributes["aria-describedby"] == "code-error"


async def test_a_price_that_changed_is_said_and_nothing_can_be_ordered_before_it_is_accepted(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await add(visitor, world)
    world.shop.price = 59900
    page = tree(await visitor.get("/cart"))
    assert "It was ₹499.00 and is now ₹599.00." in one(page, ".notice-warning").text()
    assert page.css("form[action='/checkout']") == []
    await add(visitor, world)
    assert (
        one(tree(await visitor.get("/cart")), "form[action='/checkout'] button").text()
        == "Pay ₹599.00 by UPI"
    )


async def test_what_the_shop_does_not_take_is_told_in_its_words(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await add(visitor, world)
    answer = await add(visitor, world, quantity="2")
    assert answer.status_code == 409
    said = one(tree(answer), "[role=alert]").text()
    assert "It must be at most 1 in one order." in said
    assert "Set its quantity to 1 or less" in said


@pytest.mark.parametrize("quantity", ["-1", "1.5", "1001", "999999999999999999999", "abc", "1e3", " ", "１"])
async def test_a_quantity_that_is_none_is_told_with_the_cart_and_changes_nothing(
    visitor: httpx.AsyncClient, world: World, quantity: str
) -> None:
    await add(visitor, world)
    (cart,) = world.shop.carts.values()
    before = dict(cart.lines)
    answer = await add(visitor, world, quantity=quantity)
    assert answer.status_code == 422
    alert = one(tree(answer), "[role=alert]")
    assert "The number of seats must be a whole number from 0 to 1,000." in alert.text()
    assert one(alert, "li").text() == "Set it to how many you want; 0 takes them out"
    assert one(tree(answer), ".cart-line h2").text() == "Rust"
    assert (cart.lines, len(world.shop.carts)) == (before, 1)


@pytest.mark.parametrize("path", ["/cart/lines", "/cart/coupon", "/checkout"])
async def test_a_form_of_another_site_changes_nothing(
    visitor: httpx.AsyncClient, world: World, path: str
) -> None:
    form = {"variant_id": variant(world), "code": "WELCOME10"}
    answer = await visitor.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert world.network.asked("commerce", "POST") == []


async def test_whoever_pays_signs_in_first_and_comes_back_to_the_cart(
    visitor: httpx.AsyncClient, world: World
) -> None:
    await add(visitor, world)
    answer = await visitor.post("/checkout", headers={**OURS, "Referer": "http://localhost:8080/cart"})
    assert answer.headers["location"] == "/session/login?to=%2Fcart"


@pytest.mark.parametrize("fault", [503, 500, httpx.ConnectError("refused")])
async def test_while_the_shop_is_away_courses_are_there_and_lessons_read(
    visitor: httpx.AsyncClient, world: World, fault: int | Exception
) -> None:
    world.network.failing["commerce"] = fault
    assert (await visitor.get("/")).status_code == 200
    course = await visitor.get(COURSE)
    assert course.status_code == 200
    assert "The price cannot be shown right now" in course.text
    assert (await visitor.get("/courses/python/lessons/appetite")).status_code == 200
    assert (await visitor.get(LESSON)).status_code == 403
    visitor.cookies.set("suuupra_cart", "0198c5a4-7d3e-4c1a-9c55-0242ac120002")
    assert (await visitor.get("/")).status_code == 200
    cart = await visitor.get("/cart")
    assert cart.status_code == 503
    assert cart.headers["retry-after"]


async def test_a_busy_catalogue_asks_for_prices_once_in_a_while(
    visitor: httpx.AsyncClient, world: World
) -> None:
    for _ in range(5):
        await visitor.get("/")
    assert world.network.asked("commerce") == ["/v1/products"]
    world.clock.advance(timedelta(seconds=OFFERS_KEPT_SECONDS))
    await visitor.get("/")
    assert len(world.network.asked("commerce")) == 2


async def test_seats_that_are_gone_cannot_be_bought(visitor: httpx.AsyncClient, world: World) -> None:
    world.shop.seats = 0
    page = tree(await visitor.get(COURSE))
    assert "All seats are taken" in one(page, ".offer").text()
    assert page.css(".offer button") == []


@pytest.mark.parametrize(
    "cookie", ["x", "..", "../orders", "0198c5a4-7d3e-4c1a-9c55-0242ac120002", "a" * 500]
)
async def test_a_cart_cookie_that_is_not_ours_is_an_empty_cart(
    visitor: httpx.AsyncClient, world: World, cookie: str
) -> None:
    answer = await visitor.get("/cart", headers={"Cookie": f"suuupra_cart={cookie}"})
    assert answer.status_code == 200
    assert "The cart is empty" in answer.text
    assert all(path.startswith("/v1/carts/") for path in world.network.asked("commerce"))
