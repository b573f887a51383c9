"""The bell at the head of every page: how much in the inbox is unread, told live."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.cluster.banks import Account

from .browser import DESK, visit
from .people import fill_cart, pay, pay_button

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
WELCOME = 1
TOLD_WITHIN_MS = 30_000
"""The number is told as it grows, and counted anew every 15 s should that have been missed."""
OF_A_PURCHASE = 3
"""The payment arrived, the order is paid, the course is open."""


def test_the_bell_of_an_open_page_grows_when_something_is_bought_elsewhere(
    browser: Browser, context: BrowserContext, platform_url: str, account: Account
) -> None:
    with visit(context, "bell") as open_page:
        open_page.goto(f"{platform_url}/learning")
        expect_bell(open_page, WELCOME)
        open_page.evaluate("window.sameAsBefore = true")

        elsewhere = browser.new_context(viewport=DESK, storage_state=context.storage_state())
        with visit(elsewhere, "bell-elsewhere") as page:
            fill_cart(page, platform_url, COURSE)
            pay_button(page)
            pay(elsewhere, page, account)
        elsewhere.close()

        expect_bell(open_page, WELCOME + OF_A_PURCHASE)
        assert open_page.evaluate("window.sameAsBefore"), "the page was made again, so nothing was told live"

        open_page.goto(f"{platform_url}/inbox")
        open_page.get_by_role("button", name="Mark all as read").click()
        expect(bell_of(open_page)).to_have_accessible_name("Inbox")


def expect_bell(page: Page, unread: int) -> None:
    """So many are shown, and told to who does not see them."""
    expect(bell_of(page).locator(".count")).to_have_text(str(unread), timeout=TOLD_WITHIN_MS)
    expect(bell_of(page)).to_have_accessible_name(f"Inbox {unread} unread", timeout=TOLD_WITHIN_MS)


def bell_of(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Site").get_by_role("link", name="Inbox")
