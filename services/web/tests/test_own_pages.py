"""What is one person's: courses with progress, orders, receipt, inbox; and what a visitor brings along."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from services.web.api.visitors import COOKIE as VISITOR
from services.web.settings import Settings
from services.web.tests.conftest import OURS, World, browsing, given, sign_in, web_of
from services.web.tests.markup import one, tree

pytestmark = pytest.mark.integration

LESSON, LOCKED = "/courses/python/lessons/appetite", "/courses/rust/lessons/ownership"


def own(world: World) -> UUID:
    """Give the person the course that is sold; its id."""
    course = world.content.courses[-1]
    world.shop.rights[world.identity.user] = {course.id}
    world.content.entitled.add((world.identity.user, course.id))
    return course.id


async def order(learner: httpx.AsyncClient, world: World, status: str = "fulfilled") -> UUID:
    """An order of the course, with something become of it."""
    variant = str(world.shop.variant(world.content.courses[-1]))
    await learner.post("/cart/lines", data={"variant_id": variant}, headers=OURS)
    cart = next(cart for cart in world.shop.carts.values() if cart.owner == world.identity.user)
    made = world.shop._made(world.shop.view(cart), world.identity.user)
    world.shop.settle(made.id, status)  # type: ignore[arg-type]
    return made.id


async def test_what_a_visitor_read_is_the_persons_after_signing_in(
    shopper: httpx.AsyncClient, world: World
) -> None:
    await shopper.post(f"{LESSON}/complete", headers=OURS)
    visitor = UUID(shopper.cookies[VISITOR])
    await sign_in(shopper, world)
    assert VISITOR not in shopper.cookies
    assert visitor not in world.content.progress
    assert "You completed this lesson" in (await shopper.get(LESSON)).text
    assert "The Python Tutorial" in one(tree(await shopper.get("/learning")), ".shelf-card").text()


async def test_progress_that_could_not_be_merged_at_sign_in_is_merged_later(
    shopper: httpx.AsyncClient, world: World
) -> None:
    await shopper.post(f"{LESSON}/complete", headers=OURS)
    world.network.failing["content"] = 503
    await sign_in(shopper, world)
    assert VISITOR in shopper.cookies
    world.network.failing.clear()
    assert "The Python Tutorial" in (await shopper.get("/learning")).text
    assert VISITOR not in shopper.cookies


async def test_a_person_gets_no_visitors_cookie(learner: httpx.AsyncClient, world: World) -> None:
    await learner.get(LESSON)
    assert VISITOR not in learner.cookies
    assert list(world.content.progress) == [world.identity.user]


async def test_a_course_that_is_owned_is_read_and_not_offered_again(
    learner: httpx.AsyncClient, world: World
) -> None:
    own(world)
    assert (await learner.get(LOCKED)).status_code == 200
    course = tree(await learner.get("/courses/rust"))
    assert course.css(".offer") == []
    assert "Yours" in one(tree(await learner.get("/")), ".course-card:last-child .card-price").text()


async def test_whoever_has_just_paid_reads_as_soon_as_content_has_heard(
    learner: httpx.AsyncClient, world: World
) -> None:
    course = own(world)
    world.content.entitled.clear()
    opening = asyncio.create_task(learner.get(LOCKED))
    await world.clock.until_sleeping()
    world.content.entitled.add((world.identity.user, course))
    world.clock.advance(1)
    assert (await opening).status_code == 200


async def test_my_courses_show_what_is_begun_and_what_waits(learner: httpx.AsyncClient, world: World) -> None:
    own(world)
    await learner.post(f"{LESSON}/complete", headers=OURS)
    page = tree(await learner.get("/learning"))
    begun, waiting = (one(page, f"section[aria-labelledby={name}]") for name in ("begun", "waiting"))
    assert one(begun, "a").attributes["href"] == "/courses/python/lessons/interpreter"
    assert "25 percent completed" in (begun.html or "")
    assert one(waiting, "a").attributes["href"] == "/courses/rust"


async def test_my_courses_are_told_as_far_as_can_be_told(learner: httpx.AsyncClient, world: World) -> None:
    own(world)
    await learner.get(LESSON)
    world.network.failing["commerce"] = 503
    without_shop = await learner.get("/learning")
    assert "The Python Tutorial" in without_shop.text
    assert "cannot be listed right now" in without_shop.text
    world.network.failing = {"content": 503}
    without_content = await learner.get("/learning")
    assert "Rust" in without_content.text
    assert "Your progress cannot be shown right now" in without_content.text


async def test_orders_are_listed_with_what_became_of_them(learner: httpx.AsyncClient, world: World) -> None:
    paid, waiting = await order(learner, world), await order(learner, world, "pending_payment")
    cards = tree(await learner.get("/orders")).css(".order-card")
    assert {one(card, ".badge").text() for card in cards} == {"Paid", "To be paid"}
    assert {str(link.attributes["href"]) for card in cards for link in card.css("a")} == {
        f"/orders/{paid}",
        f"/orders/{waiting}",
        f"/checkout/{waiting}",
    }


async def test_an_order_tells_its_story_and_the_one_number_that_support_asks_for(
    learner: httpx.AsyncClient, world: World
) -> None:
    bought = await order(learner, world)
    page = tree(await learner.get(f"/orders/{bought}"))
    assert [node.text() for node in page.css(".timeline > li > p:first-child")] == [
        "Order placed.",
        "Order fulfilled.",
    ]
    assert f"name the order: {world.shop.orders[bought].number}" in one(page, "main").text()
    assert page.css(".timeline a, .timeline code") == []


async def test_a_receipt_has_invoice_number_lines_and_gst(learner: httpx.AsyncClient, world: World) -> None:
    page = tree(await learner.get(f"/orders/{await order(learner, world)}/receipt"))
    text = " ".join(one(page, ".receipt").text().split())
    for part in (
        "SU/26-27/000001",
        "999293",
        "₹422.89",
        "₹76.11 (18%)",
        "₹499.00",
        "Asha Rao",
        "asha@example.org",
    ):
        assert part in text, part


async def test_it_is_a_tax_invoice_only_where_the_seller_is_named_with_a_gstin(
    database_url: str, learner: httpx.AsyncClient, world: World
) -> None:
    bought = await order(learner, world)
    plain = one(tree(await learner.get(f"/orders/{bought}/receipt")), ".receipt").text()
    assert "Receipt" in plain
    assert "invoice" not in plain.lower()
    named = given(
        database_url=database_url,
        seller_name="Example Learning LLP",
        seller_gstin="29AAAAA0000A1Z5",
        seller_address="1 Example Road, Bengaluru 560001",
    )
    app = web_of(Settings(**named), world)
    async with app.router.lifespan_context(app), browsing(app) as client:
        await sign_in(client, world)
        whole = one(tree(await client.get(f"/orders/{bought}/receipt")), ".receipt").text()
    for part in ("Tax invoice", "Example Learning LLP", "GSTIN 29AAAAA0000A1Z5", "1 Example Road"):
        assert part in whole, part


async def test_an_order_without_invoice_has_no_receipt(learner: httpx.AsyncClient, world: World) -> None:
    waiting = await order(learner, world, "pending_payment")
    assert (await learner.get(f"/orders/{waiting}/receipt")).headers["location"] == f"/orders/{waiting}"


async def test_the_inbox_is_counted_on_every_page_and_read_letter_by_letter(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.post.deliver("First", "/orders")
    world.post.deliver("Second")
    page = tree(await learner.get("/"))
    assert one(page, "[data-unread] .count").text() == "2"
    forms = tree(await learner.get("/inbox")).css(".letter form")
    assert len(forms) == 2
    form = {
        str(node.attributes["name"]): str(node.attributes["value"] or "") for node in forms[1].css("input")
    }
    opened = await learner.post(str(forms[1].attributes["action"]), data=form, headers=OURS)
    assert opened.headers["location"] == "/orders"
    assert world.post.unread == 1


async def test_all_that_was_shown_is_marked_and_what_came_meanwhile_is_not(
    learner: httpx.AsyncClient, world: World
) -> None:
    world.post.deliver("First")
    world.post.deliver("Second")
    up_to = one(tree(await learner.get("/inbox")), "form[action='/inbox/read'] input").attributes["value"]
    world.post.deliver("Third")
    await learner.post("/inbox/read", data={"up_to": str(up_to)}, headers=OURS)
    assert [letter.title for letter in world.post.letters if letter.read_at is None] == ["Third"]


async def test_a_letter_never_leads_to_another_site(learner: httpx.AsyncClient, world: World) -> None:
    letter = world.post.deliver("First")
    for to in ("//evil.example", "https://evil.example", "/\\evil.example"):
        opened = await learner.post(f"/inbox/{letter.id}/read", data={"to": to}, headers=OURS)
        assert opened.headers["location"] == "/inbox"


async def test_the_count_is_told_live(learner: httpx.AsyncClient, world: World) -> None:
    world.post.deliver("First")
    stream = await learner.get("/inbox/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert [line for line in stream.text.splitlines() if line.startswith("data")] == ["data: 1", "data: 2"]


async def test_pages_are_there_while_notifications_is_away(learner: httpx.AsyncClient, world: World) -> None:
    world.network.failing["notifications"] = httpx.ConnectError("refused")
    for path in ("/", "/account", "/orders", "/learning", "/courses/python"):
        assert (await learner.get(path)).status_code == 200
    inbox = await learner.get("/inbox")
    assert inbox.status_code == 503


@pytest.mark.parametrize(
    "path", ["/account", "/learning", "/orders", "/inbox", f"/orders/{uuid4()}", f"/checkout/{uuid4()}"]
)
async def test_pages_of_one_person_lead_nobody_past_the_sign_in_and_are_not_kept(
    shopper: httpx.AsyncClient, path: str
) -> None:
    answer = await shopper.get(path)
    assert (answer.status_code, answer.headers["location"][:15]) == (303, "/session/login?"[:15])
    assert answer.headers["cache-control"] == "no-store"
