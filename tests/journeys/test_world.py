"""The small world that `make up` leaves behind: people sign in as it says, and find their orders in every state."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect
from world.__main__ import ASHA, KABIR, LEELA, NOOR, OMAR
from world.people import PASSWORD, Person

from tests.cluster.kube import Kube

from .browser import DESK, Complaints, picture, visit

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"


@dataclass(frozen=True)
class Found:
    """What somebody's one order says of itself; `picture` names it."""

    person: Person
    says: str
    picture: str


WORLD = [
    Found(ASHA, "Paid", "world-paid"),
    Found(KABIR, "Not paid in time|To be paid", "world-expired"),  # the quarter of an hour may not be over
    Found(LEELA, "Refunded", "world-refunded"),
    Found(NOOR, "Canceled", "world-canceled"),
    Found(OMAR, "Partly refunded", "world-partly-refunded"),
]


def come_in(page: Page, url: str, person: Person) -> None:
    """Sign in with what `make up` prints."""
    page.goto(url)
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()


def test_everybody_of_the_demo_world_finds_their_order_in_its_state(
    browser: Browser, complaints: Complaints, platform_url: str
) -> None:
    for found in WORLD:
        context = browser.new_context(viewport=DESK)
        with visit(context, complaints, found.picture) as page:
            come_in(page, platform_url, found.person)
            page.goto(f"{platform_url}/orders")
            expect(page.locator(".order-card").last).to_contain_text(re.compile(found.says))
            page.locator(".order-card").last.get_by_role("link", name=COURSE).click()
            expect(page.locator(".timeline li").first).to_be_visible()
            picture(page, found.picture)
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
    browser: Browser, complaints: Complaints, platform_url: str, kube: Kube
) -> None:
    routed = {one["metadata"]["name"] for one in kube.items("suuupraservices") if one["spec"].get("routes")}
    with visit(browser.new_context(viewport=DESK), complaints, "gateway") as page:
        page.goto(f"{platform_url}/gateway")
        for service in routed:
            expect(page.get_by_text(service, exact=True).first).to_be_visible()
        picture(page, "gateway")
    assert complaints.heard == []
