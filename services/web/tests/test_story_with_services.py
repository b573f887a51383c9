"""The story of an order over all the real services: who may see it, what is in it, and what is when one is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from services.web.tests.markup import RULES, one, tree
from services.web.tests.people import ASHA, place, sell, sign_in, submit
from services.web.tests.platform import Platform, platform
from services.web.tests.rail import Rail, rail
from suuupra.testing.objects import ObjectsServer
from suuupra.testing.postgres import PostgresServer

pytestmark = pytest.mark.integration

SUPPORT, FINANCE = "sam@example.org", "farah@example.org"
JSON = {"Accept": "application/json"}


@dataclass
class Sold:
    """An order that was paid over the rail, and how it is asked for."""

    world: Platform
    rail: Rail
    learner: httpx.AsyncClient
    order: UUID
    number: str

    async def told(self, staff: httpx.AsyncClient, wanted: str | None = None) -> dict[str, Any]:
        """The story as JSON."""
        answer = await staff.get(f"/support/orders/{wanted or self.number}/story.json", headers=JSON)
        assert answer.status_code == 200, answer.text
        story: dict[str, Any] = answer.json()
        return story


@pytest_asyncio.fixture
async def sold(postgres: PostgresServer, objects: ObjectsServer) -> AsyncIterator[Sold]:
    async with platform(postgres, objects) as world, rail(world, postgres, objects) as money:
        await world.person(ASHA, "Asha Rao")
        await world.person(SUPPORT, "Sam", "support")
        await world.person(FINANCE, "Farah", "finance")
        async with world.browser() as learner:
            course = await sell(world)
            await sign_in(learner)
            locked = await learner.get(f"/courses/{course.slug}/lessons/ownership")
            checkout = await place(world, learner, await submit(learner, locked, "form.offer"))
            link = str(one(tree(checkout), ".pay-how a[href^='upi://']").attributes["href"])
            await money.pay(link)
            order = checkout.url.path.rsplit("/", 1)[1]
            page = await learner.get(f"/orders/{order}")
            number = one(tree(page), "h1").text().removeprefix("Order ")
            yield Sold(world, money, learner, UUID(order), number)


@pytest_asyncio.fixture
async def support(sold: Sold) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of somebody of support."""
    async with sold.world.browser() as client:
        await sign_in(client, email=SUPPORT)
        yield client


async def test_one_number_tells_the_whole_story_of_a_paid_order(
    sold: Sold, support: httpx.AsyncClient
) -> None:
    story = await sold.told(support)
    assert (story["order_id"], story["missing"]) == (str(sold.order), [])
    steps = story["steps"]
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    assert sum(step["since_last_ms"] for step in steps) == pytest.approx(
        steps[-1]["since_first_ms"], abs=len(steps)
    )
    whats = [step["what"] for step in steps]
    expected = [
        "order.created", "created", "method_chosen", "action_required", "upi.requested", "authorisation_given",
        "upi.debit.sent", "upi.debit.answered", "upi.credit.sent", "upi.credit.answered", "attempt_succeeded",
    ]  # fmt: skip
    assert [what for what in whats if what in expected] == expected
    after = {
        "order.paid",
        "order.fulfilled",
        "journal",
        "access.unlocked",
        "inbox.order_paid",
        "mail.order_paid",
    }
    assert after <= set(whats[whats.index("attempt_succeeded") :])
    hops = {(step["what"], step["came_from"], step["where"]) for step in steps}
    assert {
        ("upi.debit.sent", "upi-core", "bank:banyan"),
        ("upi.debit.answered", "bank:banyan", "upi-core"),
        ("upi.credit.sent", "upi-core", "bank:asha"),
        ("journal", "payments", "ledger"),
        ("access.unlocked", "commerce", "content"),
    } <= hops
    assert any(what.startswith("message_in.ReqAuthDetails") for what in whats)
    journal = next(step for step in steps if step["what"] == "journal")
    assert journal["lines"] == [
        "Debit assets:upi-clearing:INR: ₹499.00",
        "Credit revenue:courses:INR: ₹422.88",
        "Credit liabilities:gst-output:INR: ₹76.12",
    ]
    assert all(
        len(story["ids"][name]) == 1 for name in ("payment_id", "transaction", "rrn", "journal_id", "invoice")
    )
    assert "meera@" not in str(story)
    for wanted in (str(sold.order), sold.number.lower(), story["ids"]["payment_id"][0]):
        again = await sold.told(support, wanted)
        assert (again["missing"], again["steps"]) == ([], steps)


async def test_a_refund_goes_on_with_the_same_story(sold: Sold, support: httpx.AsyncClient) -> None:
    await sold.rail.refund(sold.order)
    story = await sold.told(support)
    steps = story["steps"]
    whats = [step["what"] for step in steps]
    assert story["missing"] == []
    expected = ["refund.requested", "refund_sent", "refund_succeeded", "order.refunded", "order.closed"]
    assert [what for what in whats if what in expected] == expected
    assert whats.count("journal") == 2
    assert {"access.locked", "inbox.order_refunded"} <= set(whats)
    legs = [
        (step["what"], step["where"])
        for step in steps
        if step["what"].endswith(("debit.sent", "credit.sent"))
    ]
    assert legs[2:] == [("upi.debit.sent", "bank:asha"), ("upi.credit.sent", "bank:banyan")]
    assert len(story["ids"]["rrn"]) == len(story["ids"]["transaction"]) == 2


async def test_the_page_draws_every_step_and_says_it_in_words(sold: Sold, support: httpx.AsyncClient) -> None:
    page = await support.get(f"/support/orders/{sold.number}")
    root = tree(page)
    steps = (await sold.told(support))["steps"]
    assert [node.text(strip=True) for node in root.css(".story-text")]
    assert len(root.css(".story-step .dot-of")) == len(root.css(".story-text")) == len(steps)
    lanes = [node.text() for node in root.css(".story-top text")]
    assert lanes == [
        "Learner", "Commerce", "Payments", "Switch", "Banyan", "Asha", "Ledger", "Content", "Mail",
    ]  # fmt: skip
    assert "₹499.00 received by UPI" in page.text
    assert page.headers["cache-control"] == "private, no-store"
    for rule in RULES:
        rule(page)


async def test_support_finds_an_order_by_its_number(sold: Sold, support: httpx.AsyncClient) -> None:
    listed = await support.get("/support")
    assert sold.number in one(tree(listed), ".order-card h2").text()
    for rule in RULES:
        rule(listed)
    found = await support.get("/support", params={"q": f" {sold.number.lower()} "})
    assert found.url.path == f"/support/orders/{sold.number}"
    assert f"/support/orders/{sold.number}" in (await support.get(f"/orders/{sold.order}")).text


async def test_finance_sees_the_whole_story_too(sold: Sold) -> None:
    async with sold.world.browser() as client:
        await sign_in(client, email=FINANCE)
        assert (await sold.told(client))["missing"] == []


async def test_a_learner_is_refused_and_has_a_timeline_of_their_own(sold: Sold) -> None:
    for path in ("/support", f"/support/orders/{sold.number}"):
        refused = await sold.learner.get(path)
        assert refused.status_code == 403
        assert "for support and finance" in refused.text
    problem = (await sold.learner.get(f"/support/orders/{sold.number}/story.json", headers=JSON)).json()
    assert problem["errors"][0]["field"] == "session.roles"
    own = await sold.learner.get(f"/orders/{sold.order}")
    assert [node.text() for node in tree(own).css(".timeline li > p:first-child")] == [
        "Ordered Rust · Whole course for ₹499.00",
        "₹499.00 received by UPI",
        next(text for text in [node.text() for node in tree(own).css(".timeline p")] if "invoice" in text),
        "Rust opened",
    ]
    assert "/support" not in own.text
    assert one(tree(own), ".timeline").css("a") == []


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in(sold: Sold) -> None:
    async with sold.world.browser() as nobody:
        assert (await nobody.get(f"/support/orders/{sold.number}")).url.path == "/account/login"


@pytest.mark.parametrize(
    ("service", "lost"),
    [
        ("payments", "attempt_succeeded"),
        ("upi-core", "upi.debit.sent"),
        ("ledger", "journal"),
        ("content", "access.unlocked"),
        ("notifications", "mail.order_paid"),
        ("commerce", "order.created"),
    ],
)
async def test_a_service_that_is_away_is_named_and_hides_nothing_of_the_others(
    sold: Sold, support: httpx.AsyncClient, service: str, lost: str
) -> None:
    whole = {step["what"] for step in (await sold.told(support))["steps"]}
    sold.world.network.failing[service] = httpx.ConnectError("refused")
    story = await sold.told(support, str(sold.order))
    away = {one["service"] for one in story["missing"]}
    assert away == ({service, "content"} if service == "commerce" else {service})
    left = {step["what"] for step in story["steps"]}
    assert lost not in left
    assert left < whole
    told_by = {step["told_by"] for step in story["steps"]}
    every = {"commerce", "payments", "upi-core", "ledger", "content", "notifications"}
    assert told_by == every - away
    page = await support.get(f"/support/orders/{sold.order}")
    assert page.status_code == 200
    assert one(tree(page), ".notice-warning .notice-title").text().endswith("this part could not be read")


async def test_without_commerce_a_number_leads_nowhere_and_says_so(
    sold: Sold, support: httpx.AsyncClient
) -> None:
    sold.world.network.failing["commerce"] = 503
    answer = await support.get(f"/support/orders/{sold.number}/story.json", headers=JSON)
    assert (answer.status_code, answer.json()["title"]) == (503, "The shop is away for a moment")
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("SO-999999999", 404),
        ("0198c5a4-7d3e-7c1a-9c55-0242ac120002", 404),
        ("nonsense", 422),
    ],
)
async def test_what_is_no_order_is_answered_in_words(
    sold: Sold, support: httpx.AsyncClient, wanted: str, status: int
) -> None:
    answer = await support.get(f"/support/orders/{wanted}/story.json", headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
