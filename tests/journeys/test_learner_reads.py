"""A learner's way through the platform, in Chromium, through the gateway: find a course, read, come back."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.cluster.banks import Account

from .accessible import wider_than_the_screen
from .browser import DESK, PHONE, Complaints, picture, visit
from .people import Learner, confirm, fill_cart, pay, pay_button, sign_up

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
CROSS_LINK = ".prose a[href^='/courses/']"


@pytest.fixture(scope="module")
def owner(browser: Browser, platform_url: str, account: Account) -> StorageState:
    """The browser of somebody new who has bought the course; the tests share what they have read of it."""
    context, learner = browser.new_context(), Learner()
    page = context.new_page()
    page.goto(platform_url)
    sign_up(page, learner)
    confirm(page, learner)
    fill_cart(page, platform_url, COURSE)
    pay_button(page)
    pay(context, page, account)
    kept = context.storage_state()
    context.close()
    return kept


def open_course(page: Page, url: str) -> None:
    """From the catalogue, as a learner would: search, then the card."""
    page.goto(url)
    page.get_by_role("searchbox").fill("python tutorial")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=COURSE, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=COURSE)).to_be_visible()


def start(page: Page) -> str:
    """Open the course's first lesson; returns its address."""
    page.get_by_role("link", name=re.compile("^(Start the course|Continue)$")).click()
    page.wait_for_url("**/lessons/*")
    return page.url


def await_another(page: Page, url: str) -> None:
    """Until another page than `url` is there."""
    page.wait_for_url(lambda now: now != url)


def open_a_lesson_with_a_link(page: Page) -> None:
    """The first lesson, and on by the link to the next until one refers to another lesson."""
    here = start(page)
    while page.locator(CROSS_LINK).count() == 0:
        page.get_by_role("navigation", name="Neighbouring lessons").get_by_role("link", name="Next").click()
        await_another(page, here)
        here = page.url


def test_a_learner_reads_follows_a_link_completes_and_comes_back(
    browser: Browser, platform_url: str, owner: StorageState
) -> None:
    context = browser.new_context(viewport=DESK, storage_state=owner)
    with visit(context, "reads") as page:
        open_course(page, platform_url)
        open_a_lesson_with_a_link(page)
        expect(page.locator(".prose pre.highlight span[class]").first).to_be_attached()
        link = page.locator(CROSS_LINK).first
        target = urlsplit(str(link.get_attribute("href")))
        link.click()
        page.wait_for_url(f"**{target.path}*")
        if target.fragment:
            expect(page.locator(f"[id='{target.fragment}']")).to_be_in_viewport()
        lesson = page.get_by_role("heading", level=1).inner_text()
        page.evaluate("scrollTo(0, 0)")
        picture(page, "web-lesson")
        page.emulate_media(color_scheme="dark")
        picture(page, "web-lesson-dark")
        page.emulate_media(color_scheme="light")
        page.get_by_role("button", name=re.compile("^Complete")).click()
        page.wait_for_url(lambda url: urlsplit(url).path != target.path)

    with visit(context, "returns") as page:
        page.goto(platform_url)
        shelf = page.get_by_role("region", name="Continue learning")
        expect(shelf.get_by_role("link", name=COURSE)).to_be_visible()
        picture(page, "web-catalogue", whole=True)
        page.goto(f"{platform_url}{'/'.join(target.path.split('/')[:3])}")
        done = page.get_by_role("link", name=f"Completed: {lesson}")
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        expect(done).to_be_visible()
        expect(page.get_by_text(re.compile(r"1 of \d+ lessons"))).to_be_visible()
        page.evaluate("scrollTo(0, 0)")
        picture(page, "web-course")


def test_another_visitor_starts_at_the_beginning(browser: Browser, platform_url: str) -> None:
    with visit(browser.new_context(), "another") as page:
        open_course(page, platform_url)
        expect(page.get_by_role("link", name="Read a lesson for free")).to_be_visible()
        expect(page.get_by_text(re.compile(r"\d+ of \d+ lessons"))).to_have_count(0)


def test_everything_works_without_script(browser: Browser, platform_url: str, owner: StorageState) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=DESK, storage_state=owner)
    with visit(context, "plain") as page:
        open_course(page, platform_url)
        here = start(page)
        page.get_by_role("button", name=re.compile("^Complete")).click()
        await_another(page, here)
        page.goto(here)
        expect(page.get_by_text("You completed this lesson.")).to_be_visible()


def test_arrow_keys_lead_from_lesson_to_lesson(
    browser: Browser, platform_url: str, owner: StorageState
) -> None:
    with visit(browser.new_context(viewport=DESK, storage_state=owner), "keys") as page:
        open_course(page, platform_url)
        first = start(page)
        page.keyboard.press("ArrowRight")
        await_another(page, first)
        page.keyboard.press("ArrowLeft")
        page.wait_for_url(first)


def is_told_to_its_end(page: Page, hint: str) -> bool:
    """Whether the words that stand in a field until something is typed fit into it."""
    field = page.get_by_placeholder(hint, exact=True)
    field.fill(hint)
    fits = field.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    field.fill("")
    return bool(fits)


def test_on_a_phone_nothing_overflows_and_the_contents_open_as_a_drawer(
    browser: Browser, platform_url: str, owner: StorageState
) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, color_scheme="dark", storage_state=owner)
    with visit(context, "phone") as page:
        page.goto(platform_url)
        picture(page, "web-phone-catalogue-dark", whole=True)
        assert is_told_to_its_end(page, "Search titles")
        open_course(page, platform_url)
        picture(page, "web-phone-course-dark")
        first = start(page)
        picture(page, "web-phone-lesson-dark")
        contents = page.get_by_role("navigation", name="Contents of the course")
        expect(contents).to_be_hidden()
        page.locator("summary", has_text="Contents").tap()
        expect(contents.locator("[aria-current=page]")).to_be_visible()
        picture(page, "web-phone-contents-dark", still=True)
        contents.get_by_role("link").last.tap()
        await_another(page, first)
        for path in (page.url, platform_url):
            page.goto(path)
            assert not wider_than_the_screen(page), path


def test_a_missing_page_says_where_to_go_on(
    browser: Browser, complaints: Complaints, platform_url: str
) -> None:
    complaints.expect(404, "/courses/no-such-course")
    with visit(browser.new_context(), "missing") as page:
        page.goto(f"{platform_url}/courses/no-such-course")
        page.get_by_role("link", name="All courses").click()
        expect(page.get_by_role("searchbox")).to_be_visible()
