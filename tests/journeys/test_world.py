"""The small world that `make up` leaves behind: people sign in as it says, and find their orders in every state."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, get_args

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from world.__main__ import ASHA, KABIR, LEARNERS, LEELA, NOOR, OMAR, make, renew
from world.creator import COURSES, UPI, Creator
from world.people import CREATOR, PASSWORD, Person
from world.platform import Platform, read
from world.shop import Buyer

from services.commerce.contract import OrderStatus
from tests.cluster.kube import Kube

from .accessible import broken_anywhere
from .browser import DESK, PHONE, picture, visit

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
CREATORS = str(UPI.about["title"])
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
    anybody = world.browser()

    def offered() -> list[str]:
        return [one["id"] for one in read(anybody.get("/v1/products"))["items"]]

    def written() -> dict[str, Any]:
        """The creator's course, with the ids of all that is in it, and its revision."""
        contents: dict[str, Any] = read(anybody.get(f"/v1/courses/{UPI.about['slug']}/contents"))
        return contents

    before = (ordered(buyers), offered(), written())
    make(world)
    assert (ordered(buyers), offered(), written()) == before


class CutOff(Exception):
    """The answer is there, and nobody is left to hear it."""


@contextmanager
def cut_off_at(api: httpx.Client, answers: int) -> Iterator[None]:
    """The program ends when so many answers have come, the last of which it does not hear."""
    heard = count(1)

    def hear(_answer: httpx.Response) -> None:
        if next(heard) == answers:
            raise CutOff

    api.event_hooks = {"response": [hear]}
    try:
        yield
    except CutOff:
        pass
    finally:
        api.event_hooks = {}


def test_a_creator_who_is_cut_off_again_and_again_publishes_one_whole_course(world: Platform) -> None:
    slug = f"bread-{secrets.token_hex(6)}"
    manuscript = replace(UPI, about={**UPI.about, "title": slug, "slug": slug})
    ira, course = Creator.of(world, CREATOR), ""
    try:
        for answers in count(1):
            with cut_off_at(ira.api, answers):
                course = ira.publish(manuscript)
                break
        shown = read(world.browser().get(f"/v1/courses/{slug}/contents"))
        assert [one["slug"] for one in own(ira)].count(slug) == 1
    finally:
        for one in own(ira):
            if one["slug"] == slug:
                ira.api.delete(f"{COURSES}/{one['id']}", headers={"If-Match": "*"})
    assert (shown["course_id"], shown["revision"], answers) == (course, 1, 6)
    assert [
        (module["title"], [lesson["title"] for lesson in module["lessons"]]) for module in shown["modules"]
    ] == [(module.title, [lesson.title for lesson in module.lessons]) for module in UPI.modules]


def own(creator: Creator) -> list[dict[str, Any]]:
    """The courses that are a creator's."""
    found: list[dict[str, Any]] = read(creator.api.get(COURSES, params={"limit": 100}))["items"]
    return found


def come_in(page: Page, url: str, person: Person) -> None:
    """Sign in with what `make up` prints."""
    page.goto(url)
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()


def test_everybody_of_the_demo_world_finds_their_order_in_its_state(
    browser: Browser, platform_url: str, world: Platform
) -> None:
    for found in WORLD:
        context = browser.new_context(viewport=DESK)
        with visit(context, found.picture) as page:
            come_in(page, platform_url, found.person)
            page.goto(f"{platform_url}/orders")
            expect(page.locator(".order-card").last).to_contain_text(found.says)
            page.locator(".order-card").last.get_by_role("link", name=COURSE).click()
            expect(page.locator(".timeline li").first).to_be_visible()
            picture(page, found.picture, whole=True)
            if found.person == KABIR:
                page.goto(f"{platform_url}/orders")
                expect(page.locator(".order-card").first).to_contain_text("To be paid")
                picture(page, "world-waiting", whole=True)
            if found.person == ASHA:
                page.goto(f"{platform_url}/learning")
                expect(page.get_by_role("link", name=COURSE)).to_be_visible()
                picture(page, "world-learning")
                page.goto(f"{platform_url}/account")
                expect(page.get_by_role("heading", level=1, name=ASHA.name)).to_be_visible()
                picture(page, "world-account")
        context.close()


def test_the_creators_course_is_in_the_catalogue_with_its_price(
    browser: Browser, platform_url: str, world: Platform, axe: str
) -> None:
    with visit(browser.new_context(viewport=DESK), "world-catalogue") as page:
        page.goto(platform_url)
        card = page.get_by_role("listitem").filter(has_text=CREATORS)
        expect(card.get_by_text("₹99.00")).to_be_visible()
        expect(page.get_by_role("link", name=COURSE, exact=True)).to_be_visible()
        picture(page, "world-catalogue", whole=True)
        card.get_by_role("link", name=CREATORS).click()
        expect(page.get_by_text("including 18% GST")).to_be_visible()
        picture(page, "world-creators-course", whole=True)
        page.get_by_role("link", name="Read a lesson for free").click()
        expect(page.get_by_role("heading", level=1, name=UPI.modules[0].lessons[0].title)).to_be_visible()
        assert broken_anywhere(page, axe) == {}


def test_who_bought_the_creators_course_finds_it_among_their_courses_and_reads_on(
    browser: Browser, platform_url: str, world: Platform
) -> None:
    lessons = [lesson.title for module in UPI.modules for lesson in module.lessons]
    with visit(browser.new_context(viewport=DESK), "world-creators-reader") as page:
        come_in(page, platform_url, NOOR)
        page.goto(f"{platform_url}/learning")
        expect(page.get_by_role("link", name=CREATORS)).to_be_visible()
        picture(page, "world-creators-reader")
        page.get_by_role("link", name=CREATORS).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("|".join(lessons[2:])))
        expect(page.get_by_role("button", name=re.compile("^Complete"))).to_be_visible()
        picture(page, "world-creators-lesson")
        page.goto(f"{platform_url}/courses/{UPI.about['slug']}")
        expect(page.get_by_text(f"2 of {len(lessons)} lessons")).to_be_visible()
        page.goto(f"{platform_url}/orders")
        expect(page.locator(".order-card").filter(has_text=CREATORS)).to_contain_text("Paid")


def test_a_phone_of_the_demo_world_tells_what_came_back(browser: Browser, platform_url: str) -> None:
    with visit(browser.new_context(viewport=PHONE), "world-phones") as page:
        page.goto(f"{platform_url}/phone/accounts/{LEELA.vpa}")
        expect(page.get_by_role("heading", level=1, name="Leela Nair's phone")).to_be_visible()
        expect(page.get_by_text(f"{LEELA.vpa} · Banyan Bank")).to_be_visible()
        refunded = page.get_by_role("listitem").filter(has_text="Refunded")
        expect(refunded).to_contain_text("₹499.00")
        picture(page, "world-phone", whole=True)
        refunded.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1, name="Refunded")).to_be_visible()
        expect(page.get_by_text("What you paid is back in your account.")).to_be_visible()
        expect(page.get_by_text(re.compile(r"^₹499\.00, UPI reference \(RRN\) \d{12}$"))).to_be_visible()


def test_the_mail_of_the_demo_world_can_be_looked_at(browser: Browser, platform_url: str) -> None:
    with visit(browser.new_context(viewport=DESK), "world-mail") as page:
        page.goto(f"{platform_url}/mail?to={LEELA.email}")
        expect(page.get_by_role("link", name=re.compile("[Rr]efund")).first).to_be_visible()
        picture(page, "world-mail")


def test_the_gateway_shows_the_routes_of_every_service(
    browser: Browser, platform_url: str, kube: Kube, axe: str
) -> None:
    routed = {one["metadata"]["name"] for one in kube.items("suuupraservices") if one["spec"].get("routes")}
    with visit(browser.new_context(viewport=DESK), "gateway") as page:
        page.goto(f"{platform_url}/gateway")
        for service in routed:
            expect(page.get_by_text(service, exact=True).first).to_be_visible()
        picture(page, "gateway")
        assert broken_anywhere(page, axe) == {}
