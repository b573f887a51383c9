"""How somebody becomes a learner: with what they read as a visitor, and from whichever browser they open the letter."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from .browser import DESK, PHONE, visit
from .people import PASSWORD, Learner, confirm, open_letter, sign_up

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"


def test_what_a_visitor_completed_is_the_learners_after_signing_up(
    browser: Browser, platform_url: str, learner: Learner
) -> None:
    context = browser.new_context(viewport=DESK)
    with visit(context, "visitor-then-learner") as page:
        page.goto(platform_url)
        page.get_by_role("link", name=COURSE, exact=True).first.click()
        page.get_by_role("link", name="Read a lesson for free").click()
        lesson = page.url
        page.get_by_role("button", name=re.compile("^Complete")).click()
        page.wait_for_url(lambda url: url != lesson)

        sign_up(page, learner)
        confirm(page, learner)
        page.goto(lesson)
        expect(page.get_by_text("You completed this lesson.")).to_be_visible()
        page.goto(f"{platform_url}/learning")
        expect(page.get_by_role("link", name=COURSE)).to_be_visible()
    context.close()


def test_who_opens_the_letter_in_another_browser_is_signed_in_there(
    browser: Browser, platform_url: str, learner: Learner
) -> None:
    desk, pocket = browser.new_context(viewport=DESK), browser.new_context(viewport=PHONE)
    with visit(desk, "signs-up-at-a-desk") as page:
        page.goto(platform_url)
        sign_up(page, learner)
    with visit(pocket, "confirms-on-a-phone") as page:
        page.goto(platform_url)
        follow_letter(page, learner)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm and go on").click()
        expect(page.get_by_role("link", name="Account")).to_be_visible()
        assert page.url.startswith(platform_url)
    desk.close()
    pocket.close()


def follow_letter(page: Page, learner: Learner) -> None:
    open_letter(page, learner, "Confirm your address")
    page.goto(str(page.locator("a[href*='/account/verify']").first.get_attribute("href")))
