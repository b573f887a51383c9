"""One number tells what happened to an order, over all services; and a learner chooses what to hear of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.cluster.banks import Account
from tests.cluster.books import finance_token
from tests.cluster.kube import Kube

from .accessible import broken_anywhere, wider_than_the_screen
from .browser import PHONE, Complaints, picture, visit
from .people import Learner, confirm, fill_cart, pay, pay_button, sign_in, sign_up
from .staff import refund, support

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
TALL = ViewportSize(width=1280, height=1600)
PATIENCE = 80
"""Looks, a quarter of a second apart."""


def test_support_reads_the_whole_story_of_an_order_that_is_paid_and_then_refunded(
    browser: Browser, platform_url: str, kube: Kube, elsewhere: Account, axe: str
) -> None:
    context, learner = browser.new_context(), Learner()
    with visit(context, "story-buys") as page:
        page.goto(platform_url)
        sign_up(page, learner)
        confirm(page, learner)
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        order = page.url.rsplit("/", 1)[1]
        pay(context, page, elsewhere)
        page.goto(f"{platform_url}/orders/{order}")
        number = page.get_by_role("heading", level=1).inner_text().removeprefix("Order ")
    context.close()

    staff = browser.new_context(viewport=TALL)
    with visit(staff, "story") as page:
        page.goto(f"{platform_url}/support")
        sign_in(page, support(kube))
        page.get_by_label("Number of an order").fill(number)
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", level=1, name=f"Order {number}")).to_be_visible()
        appears(page, "Mail handed to the mail server: receipt")
        for text in (
            "₹499.00 received by UPI",
            "Banyan bank has done the debit",
            "Asha bank has done the credit",
            "the lessons can be read",
        ):
            expect(page.locator(".story-text").filter(has_text=text)).to_have_count(1)
        expect(page.locator(".story-lines")).to_contain_text("Debit assets:upi-clearing:INR: ₹499.00")
        expect(page.locator(".notice-warning")).to_have_count(0)
        picture(page, "story", whole=True)

        refund(platform_url, finance_token(kube), order)
        appears(page, "Mail handed to the mail server: refund")
        appears(page, "the lessons are locked again")
        expect(page.locator(".story-text").filter(has_text="Refund done")).to_have_count(1)
        picture(page, "story-refunded", whole=True)
        assert broken_anywhere(page, axe) == {}
        told = page.request.get(f"{platform_url}/support/orders/{order}/story.json").json()
        assert told["complete"]
        assert len(told["ids"]["journal_id"]) == 2
    kept = staff.storage_state()
    staff.close()

    pocket = browser.new_context(viewport=PHONE, color_scheme="dark", storage_state=kept)
    with visit(pocket, "story-phone") as page:
        page.goto(f"{platform_url}/support/orders/{number}")
        page.locator(".story-step").first.scroll_into_view_if_needed()
        assert not wider_than_the_screen(page)
        page.locator("#story").evaluate("(heading) => heading.scrollIntoView()")
        picture(page, "story-phone-dark")
    pocket.close()


def appears(page: Page, text: str) -> None:
    """Look again until the story has that step: mail takes a moment."""
    step = page.locator(".story-text").filter(has_text=text)
    for _ in range(PATIENCE):
        if step.count():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(step.first).to_be_visible()


def test_a_learner_is_not_let_in_to_support(
    browser: Browser, complaints: Complaints, platform_url: str
) -> None:
    complaints.expect(403, "/support")
    context, learner = browser.new_context(), Learner()
    with visit(context, "story-refused") as page:
        page.goto(platform_url)
        sign_up(page, learner)
        confirm(page, learner)
        page.goto(f"{platform_url}/support")
        expect(page.get_by_text("This page is for support and finance")).to_be_visible()
    context.close()


def test_a_learner_chooses_what_to_hear(browser: Browser, platform_url: str, axe: str) -> None:
    context, learner = browser.new_context(viewport=ViewportSize(width=1280, height=1100)), Learner()
    with visit(context, "preferences") as page:
        page.goto(platform_url)
        sign_up(page, learner)
        confirm(page, learner)
        page.goto(f"{platform_url}/inbox")
        page.get_by_role("link", name="What to hear").click()
        expect(
            page.get_by_role("checkbox", name=re.compile("^Receipts and refunds: E-mail"))
        ).to_be_disabled()
        picture(page, "preferences")
        assert broken_anywhere(page, axe) == {}
        page.get_by_role("checkbox", name=re.compile("^Orders: E-mail")).uncheck()
        page.get_by_label("Language").select_option("hi")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("Saved")
        expect(page.get_by_role("checkbox", name=re.compile("^Orders: E-mail"))).not_to_be_checked()
        expect(page.get_by_label("Language")).to_have_value("hi")
        assert broken_anywhere(page, axe) == {}
    context.close()
