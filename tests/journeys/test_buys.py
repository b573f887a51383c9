"""A learner's way to a course, in Chromium, through the gateway: sign up, pay over UPI, study; and what can go wrong."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.cluster.banks import Account

from .accessible import wider_than_the_screen
from .browser import DESK, PHONE, Complaints, picture, visit
from .people import (
    NOOR,
    Learner,
    approve,
    confirm,
    fill_cart,
    open_letter,
    pay,
    pay_button,
    phone,
    sign_in,
    sign_out_elsewhere,
    sign_up,
)

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
PAID_WITHIN_SECONDS = 3.0
SESSION_ENDED = "Your session has ended. Sign in to go on where you were."


def test_a_learner_signs_up_pays_by_upi_and_studies(
    browser: Browser, platform_url: str, learner: Learner, account: Account
) -> None:
    context = browser.new_context(viewport=DESK)
    with visit(context, "buys") as page:
        page.goto(platform_url)
        expect(page.get_by_role("listitem").filter(has_text=COURSE).get_by_text("₹499.00")).to_be_visible()
        picture(page, "buy-catalogue", whole=True)
        page.get_by_role("link", name=COURSE, exact=True).first.click()
        expect(page.get_by_text("including 18% GST").first).to_be_visible()
        picture(page, "buy-course")
        locked = page.get_by_role("link", name=re.compile("^Locked: ")).last
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        address = f"{platform_url}{locked.get_attribute('href')}"

        sign_up(page, learner, seen=picture)
        confirm(page, learner, seen=picture)
        picture(page, "signed-in")

        fill_cart(page, platform_url, COURSE)
        expect(page.locator(".site-nav .count").last).to_have_text("1")
        picture(page, "buy-cart")
        pay_button(page)
        picture(page, "buy-qr")
        handset = phone(context, page, account)
        picture(handset, "phone-pin", whole=True)
        began = time.monotonic()
        approve(handset, account.pin)
        page.bring_to_front()  # a tab that nobody looks at does not listen
        expect(page.get_by_role("heading", level=1, name="Paid. Thank you!")).to_be_visible(
            timeout=PAID_WITHIN_SECONDS * 1000
        )
        assert time.monotonic() - began <= PAID_WITHIN_SECONDS
        picture(page, "buy-paid")
        expect(handset.get_by_role("heading", level=1, name="Paid")).to_be_visible()
        picture(handset, "phone-paid", whole=True)
        handset.close()

        page.goto(address)
        expect(page.locator(".prose")).to_be_visible()
        picture(page, "unlocked")
        complete(page)
        page.goto(f"{platform_url}/learning")
        expect(page.get_by_role("link", name=COURSE)).to_be_visible()
        picture(page, "my-courses")

        page.goto(f"{platform_url}/orders")
        page.get_by_role("link", name=COURSE).click()
        expect(page.locator(".timeline li").first).to_be_visible()
        picture(page, "order")
        page.get_by_role("link", name="Receipt").click()
        invoice = page.locator(".receipt dd").first.inner_text()
        assert invoice
        picture(page, "receipt")
        open_letter(page, learner, "[Rr]eceipt|[Ii]nvoice")
        expect(page.get_by_text(invoice).first).to_be_visible()
        picture(page, "mail-receipt")

        page.goto(f"{platform_url}/inbox")
        expect(page.locator(".letter").first).to_be_visible()
        picture(page, "inbox")
        page.get_by_role("button", name="Mark all as read").click()
        expect(page.locator(".letter-new")).to_have_count(0)


def complete(page: Page) -> None:
    """Complete the lesson: it is so when it is opened again, to its reader and in its contents, and counts in its course."""
    address = page.url
    page.get_by_role("button", name=re.compile("^Complete")).click()
    page.wait_for_url(lambda url: url != address)
    page.goto(address)
    done = page.get_by_text("You completed this lesson.")
    expect(done).to_be_visible()
    done.scroll_into_view_if_needed()
    picture(page, "progress-kept")
    lesson = page.get_by_role("heading", level=1).inner_text()
    page.goto(address.partition("/lessons/")[0])
    expect(page.get_by_text(re.compile(r"^1 of \d+ lessons$"))).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    expect(page.get_by_role("link", name=f"Completed: {lesson}")).to_be_visible()


def test_a_lesson_that_is_not_bought_offers_its_course_on_a_phone_in_the_dark(
    browser: Browser, complaints: Complaints, platform_url: str
) -> None:
    complaints.expect(403, "/courses/*/lessons/*")
    context = browser.new_context(viewport=PHONE, color_scheme="dark", has_touch=True)
    with visit(context, "locked") as page:
        page.goto(platform_url)
        page.get_by_role("link", name=COURSE, exact=True).first.click()
        expect(page.get_by_role("heading", level=1, name=COURSE)).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        page.get_by_role("link", name=re.compile("^Locked: ")).last.click()
        expect(page.get_by_text("This lesson is part of the course")).to_be_visible()
        picture(page, "locked-phone-dark")
        page.get_by_role("button", name=re.compile("^Add (.* )?to cart$")).first.click()
        expect(page.get_by_role("heading", level=1, name="Your cart")).to_be_visible()
        picture(page, "cart-phone-dark")
        assert not wider_than_the_screen(page)


def test_a_wrong_pin_is_told_and_the_next_attempt_pays(
    context: BrowserContext, platform_url: str, account: Account
) -> None:
    with visit(context, "wrong-pin") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        handset = phone(context, page, account)
        approve(handset, "9999")
        page.bring_to_front()
        expect(page.get_by_role("alert")).to_contain_text("The UPI PIN was wrong")
        picture(page, "pay-wrong-pin")
        handset.close()
        page.get_by_role("button", name="Show a new QR code").click()
        pay(context, page, account)


def test_who_declines_is_told_that_nothing_was_taken(
    context: BrowserContext, platform_url: str, account: Account
) -> None:
    with visit(context, "declined") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        phone(context, page, account).get_by_role("button", name="Decline").click()
        page.bring_to_front()
        expect(page.get_by_role("alert")).to_contain_text("You declined the payment")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was taken")
        picture(page, "pay-declined")


def test_an_account_with_too_little_is_told_so(context: BrowserContext, platform_url: str) -> None:
    with visit(context, "too-little") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        handset = phone(context, page, NOOR)
        approve(handset, NOOR.pin)
        page.bring_to_front()
        expect(page.get_by_role("alert")).to_contain_text("There is not enough money in the account")
        picture(page, "pay-too-little")


def test_a_double_click_the_back_button_and_two_tabs_make_one_order(
    context: BrowserContext, platform_url: str
) -> None:
    with visit(context, "double") as page, visit(context, "second-tab") as other:
        fill_cart(page, platform_url, COURSE)
        other.goto(f"{platform_url}/cart")
        button = re.compile("^Pay .* by UPI$")
        page.get_by_role("button", name=button).dblclick()
        page.wait_for_url("**/checkout/*")
        expect(page.locator(".qr img")).to_be_visible()
        order = page.url
        other.bring_to_front()
        other.get_by_role("button", name=button).click()
        other.wait_for_url(order)
        expect(other.locator(".qr img")).to_have_attribute(
            "src", str(page.locator(".qr img").get_attribute("src"))
        )
        picture(other, "second-tab-same-order")
        page.bring_to_front()
        page.go_back()
        expect(page.get_by_text("You have ordered what was in it")).to_be_visible()
        picture(page, "back-button")
        page.get_by_role("link", name="Go on with that order").click()
        page.wait_for_url(order)
        page.goto(f"{platform_url}/orders")
        expect(page.locator(".order-card")).to_have_count(1)
        picture(page, "double-click-one-order")


def test_a_browser_closed_midway_finds_the_order_paid(
    browser: Browser,
    context: BrowserContext,
    platform_url: str,
    account: Account,
) -> None:
    with visit(context, "midway") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        order, link = page.url, str(page.locator("a[href^='/phone']").get_attribute("href"))
    kept: StorageState = context.storage_state()
    context.close()
    elsewhere = browser.new_context()
    handset = elsewhere.new_page()
    handset.goto(f"{platform_url}{link}")
    handset.get_by_role("radio", name=re.compile(re.escape(account.vpa))).check()
    handset.get_by_role("button", name="Continue").click()
    approve(handset, account.pin)
    expect(handset.get_by_role("heading", level=1, name="Paid")).to_be_visible()
    elsewhere.close()
    again = browser.new_context(storage_state=kept, viewport=DESK)
    with visit(again, "midway-again") as page:
        page.goto(f"{platform_url}/orders")
        expect(page.locator(".order-card").get_by_text("Paid", exact=True)).to_be_visible()
        picture(page, "closed-midway-found-paid")
        page.goto(order)
        expect(page.get_by_role("heading", level=1, name="Paid. Thank you!")).to_be_visible()
    again.close()


def test_a_session_that_ended_at_the_checkout_is_renewed_and_the_cart_kept(
    browser: Browser, context: BrowserContext, platform_url: str, learner: Learner
) -> None:
    with visit(context, "session-ended") as page:
        fill_cart(page, platform_url, COURSE)
        sign_out_elsewhere(browser, context, platform_url)
        page.get_by_role("button", name=re.compile("^Pay .* by UPI$")).click()
        expect(page.get_by_text(SESSION_ENDED)).to_be_visible()
        sign_in(page, learner)
        page.wait_for_url("**/cart")
        expect(page.locator(".cart-line")).to_contain_text(COURSE)
        picture(page, "session-ended-cart-kept")
        pay_button(page)


def test_a_session_that_ended_under_the_qr_code_comes_back_to_the_same_order(
    browser: Browser,
    context: BrowserContext,
    platform_url: str,
    learner: Learner,
    account: Account,
) -> None:
    with visit(context, "session-ended-paying") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        order = page.url
        sign_out_elsewhere(browser, context, platform_url)
        page.reload()
        expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
        expect(page.get_by_text(SESSION_ENDED)).to_be_visible()
        picture(page, "session-ended-sign-in")
        sign_in(page, learner)
        page.wait_for_url(order)
        expect(page.locator(".qr img")).to_be_visible()
        pay(context, page, account)
        page.goto(f"{platform_url}/orders")
        expect(page.locator(".order-card")).to_have_count(1)


def test_without_script_a_checkout_goes_on_by_itself(
    browser: Browser,
    context: BrowserContext,
    platform_url: str,
    account: Account,
) -> None:
    plain = browser.new_context(
        java_script_enabled=False, viewport=DESK, storage_state=context.storage_state()
    )
    with visit(plain, "buys-plain") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        pay(plain, page, account)
    plain.close()
