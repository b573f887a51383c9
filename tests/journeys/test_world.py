"""The small world that `make up` leaves behind: people sign in as it says, and find their orders in every state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import pytest
from playwright.sync_api import Browser, Page, expect
from world.__main__ import ASHA, KABIR, LEARNERS, LEELA, NOOR, OMAR, make, renew
from world.people import PASSWORD, Person
from world.platform import Platform, read
from world.shop import Buyer

from services.commerce.contract import OrderStatus
from tests.cluster.kube import Kube

from .accessible import broken_anywhere
from .browser import DESK, Complaints, picture, visit

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
PASSING = {"draft", "paid"}
"""States in which no order stays: commerce leaves them within the transaction that came to them."""


@dataclass(frozen=True)
class Found:
    """What somebody's first order says of itself; `picture` names it."""

    person: Person
    says: str
    picture: str


WORLD = [
    Found(ASHA, "Paid", "world-paid"),
    Found(KABIR, "Not paid in time", "world-expired"),
    Found(LEELA, "Refunded", "world-refunded"),
    Found(NOOR, "Canceled", "world-canceled"),
    Found(OMAR, "Partly refunded", "world-partly-refunded"),
]


@pytest.fixture(scope="module")
def world(platform_url: str, kube: Kube) -> Iterator[Platform]:
    """As `make up` leaves it: with an order that waits, for that of the last time may have expired since."""
    outside = Platform(platform_url, ("learners", "need", "no", "kubectl"))
    renew(outside)
    outside.close()
    platform = Platform(platform_url, (str(kube.kubectl), "--kubeconfig", str(kube.kubeconfig)))
    yield platform
    platform.close()


@pytest.fixture(scope="module")
def buyers(world: Platform) -> list[Buyer]:
    """The learners, each with a token of their own."""
    return [Buyer.of(world, person) for person in LEARNERS]


def ordered(buyers: list[Buyer]) -> dict[str, str]:
    """Every order of theirs, and its state."""
    return {order["id"]: order["status"] for buyer in buyers for order in buyer.orders()}


def test_the_demo_world_has_an_order_in_every_state_in_which_one_stays(buyers: list[Buyer]) -> None:
    assert set(ordered(buyers).values()) == set(get_args(OrderStatus)) - PASSING


def test_the_demo_world_made_again_is_as_it_was(world: Platform, buyers: list[Buyer]) -> None:
    def offered() -> list[str]:
        return [one["id"] for one in read(world.browser().get("/v1/products"))["items"]]

    before = (ordered(buyers), offered())
    make(world)
    assert (ordered(buyers), offered()) == before


def come_in(page: Page, url: str, person: Person) -> None:
    """Sign in with what `make up` prints."""
    page.goto(url)
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()


def test_everybody_of_the_demo_world_finds_their_order_in_its_state(
    browser: Browser, complaints: Complaints, platform_url: str, world: Platform
) -> None:
    for found in WORLD:
        context = browser.new_context(viewport=DESK)
        with visit(context, complaints, found.picture) as page:
            come_in(page, platform_url, found.person)
            page.goto(f"{platform_url}/orders")
            expect(page.locator(".order-card").last).to_contain_text(found.says)
            page.locator(".order-card").last.get_by_role("link", name=COURSE).click()
            expect(page.locator(".timeline li").first).to_be_visible()
            picture(page, found.picture)
            if found.person == KABIR:
                page.goto(f"{platform_url}/orders")
                expect(page.locator(".order-card").first).to_contain_text("To be paid")
                picture(page, "world-waiting")
            if found.person == ASHA:
                page.goto(f"{platform_url}/learning")
                expect(page.get_by_role("link", name=COURSE)).to_be_visible()
                picture(page, "world-learning")
                page.goto(f"{platform_url}/account")
                expect(page.get_by_role("heading", level=1, name=ASHA.name)).to_be_visible()
                picture(page, "world-account")
        context.close()
    assert complaints.heard == []


def test_the_phones_and_the_mail_of_the_demo_world_can_be_looked_at(
    browser: Browser, complaints: Complaints, platform_url: str
) -> None:
    with visit(browser.new_context(viewport=DESK), complaints, "world-phones") as page:
        page.goto(f"{platform_url}/phone/accounts/{LEELA.vpa}")
        expect(page.get_by_role("heading", level=1, name="Leela Nair's phone")).to_be_visible()
        expect(page.get_by_text(f"{LEELA.vpa} · Banyan Bank")).to_be_visible()
        expect(page.get_by_text("₹499.00").first).to_be_visible()
        picture(page, "world-phone")
        page.goto(f"{platform_url}/mail?to={LEELA.email}")
        expect(page.get_by_role("link", name=re.compile("[Rr]efund")).first).to_be_visible()
        picture(page, "world-mail")
    assert complaints.heard == []


def test_the_gateway_shows_the_routes_of_every_service(
    browser: Browser, complaints: Complaints, platform_url: str, kube: Kube, axe: str
) -> None:
    routed = {one["metadata"]["name"] for one in kube.items("suuupraservices") if one["spec"].get("routes")}
    with visit(browser.new_context(viewport=DESK), complaints, "gateway") as page:
        page.goto(f"{platform_url}/gateway")
        for service in routed:
            expect(page.get_by_text(service, exact=True).first).to_be_visible()
        picture(page, "gateway")
        assert broken_anywhere(page, axe) == {}
    assert complaints.heard == []
