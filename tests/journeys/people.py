"""What people do in a browser: sign up with a mail, put a course into the cart, pay with the practice phone."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, expect

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Learner:
    """Somebody new."""

    name: str = "Asha Rao"
    email: str = field(default_factory=lambda: f"asha.{secrets.token_hex(6)}@learner.example")


@dataclass(frozen=True)
class Account:
    """A practice account of a fictional bank, as it is at the beginning."""

    vpa: str
    pin: str


MEERA = Account("meera@asha", "1234")
"""Has enough, at a bank that answers."""
NOOR = Account("noor@asha", "1357")
"""Has ₹150."""


def sign_up(page: Page, learner: Learner) -> None:
    """From whichever page: make an account, open the letter, confirm, and be back, signed in."""
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Name").fill(learner.name)
    page.get_by_label("E-mail").fill(learner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1, name="Look into your mail")).to_be_visible()


def open_letter(page: Page, learner: Learner, subject: str) -> None:
    """The newest letter of that subject, on the page that shows all mail. Letters take a moment: look again."""
    site = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
    letter = page.get_by_role("link", name=re.compile(subject)).first
    for _ in range(60):
        page.goto(f"{site}/mail?to={learner.email}")
        if letter.is_visible():
            break
        page.wait_for_timeout(250)
    letter.click()


def confirm(page: Page, learner: Learner) -> None:
    """Follow the letter's link, and go on."""
    open_letter(page, learner, "Confirm your address")
    page.goto(str(page.locator("a[href*='/account/verify']").first.get_attribute("href")))
    page.get_by_role("button", name="Confirm and go on").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()


def sign_in(page: Page, learner: Learner) -> None:
    """On identity's page."""
    page.get_by_label("E-mail").fill(learner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def fill_cart(page: Page, url: str, course: str) -> None:
    """Put the course into the cart, from the catalogue on."""
    page.goto(url)
    page.get_by_role("link", name=course, exact=True).first.click()
    expect(page.get_by_role("heading", level=1, name=course)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Add (.* )?to cart$")).first.click()
    expect(page.get_by_role("heading", level=1, name="Your cart")).to_be_visible()


def pay_button(page: Page) -> None:
    """From the cart to the QR code."""
    page.get_by_role("button", name=re.compile("^Pay .* by UPI$")).click()
    page.wait_for_url("**/checkout/*")
    expect(page.locator(".qr img")).to_be_visible()


def phone(context: BrowserContext, page: Page, account: Account) -> Page:
    """The practice phone with the checkout's code opened, up to the PIN. The caller closes it."""
    with context.expect_page() as opened:
        page.get_by_role("link", name="approve it on the practice phone").click()
    handset = opened.value
    handset.get_by_role("radio", name=re.compile(re.escape(account.vpa))).check()
    handset.get_by_role("button", name="Continue").click()
    expect(handset.get_by_role("heading", level=1, name="Approve payment")).to_be_visible()
    return handset


def approve(handset: Page, pin: str) -> None:
    """Type the PIN and pay."""
    handset.get_by_label("UPI PIN").fill(pin)
    handset.get_by_role("button", name=re.compile("^Pay ")).click()
