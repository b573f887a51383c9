"""What people do in a browser: sign up with a mail, put a course into the cart, pay with the practice phone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.cluster.banks import Account

from .browser import PHONE

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Learner:
    """Somebody new."""

    name: str = "Asha Rao"
    email: str = field(default_factory=lambda: f"asha.{secrets.token_hex(6)}@learner.example")


NOOR = Account("noor@asha", "1357")
"""Has ₹150 from the beginning, and less once the demo world is made: not enough for the tutorial."""
TRIES = 5
SETTLED_MS = 60_000
"""Longer than the rail needs to find out how a payment ended that a bank was silent about."""
REFUSED = re.compile("(Your|Our) bank (is not available|cannot be reached|could not take|did not answer)")
"""What the checkout says when a bank refused by chance, or was too slow: nobody did anything wrong."""


Seen = Callable[[Page, str], None]
"""What is done with a page worth looking at, and its name."""


def _unseen(_page: Page, _name: str) -> None:
    """Nobody looks."""


def sign_up(page: Page, learner: Learner, seen: Seen = _unseen) -> None:
    """From whichever page: make an account, up to the letter."""
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    seen(page, "sign-in")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Name").fill(learner.name)
    page.get_by_label("E-mail").fill(learner.email)
    page.get_by_label("Password").fill(PASSWORD)
    seen(page, "sign-up")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1, name="Look into your mail")).to_be_visible()
    seen(page, "sign-up-mail-sent")


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


def confirm(page: Page, learner: Learner, seen: Seen = _unseen) -> None:
    """Open the letter, follow its link, and be back, signed in."""
    open_letter(page, learner, "Confirm your address")
    expect(page.locator("a[href*='/account/verify']").first).to_be_visible()
    seen(page, "mail-confirm-address")
    page.goto(str(page.locator("a[href*='/account/verify']").first.get_attribute("href")))
    seen(page, "confirm-address")
    page.get_by_role("button", name="Confirm and go on").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()


def sign_in(page: Page, learner: Learner) -> None:
    """On identity's page."""
    page.get_by_label("E-mail").fill(learner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def sign_out_elsewhere(browser: Browser, context: BrowserContext, url: str) -> None:
    """End the session behind a browser's back: the same cookies in another browser sign out, and these stay."""
    other = browser.new_context(storage_state=context.storage_state())
    page = other.new_page()
    with page.expect_response("**/inbox/events"):  # else it is asked for by who is signed out, and refused
        page.goto(f"{url}/account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("navigation", name="Site").get_by_role("link", name="Sign in")).to_be_visible()
    other.close()


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


def phone(context: BrowserContext, page: Page, account: Account, seen: Seen = _unseen) -> Page:
    """The practice phone with the checkout's code opened, up to the PIN. The caller closes it. It is as wide as a phone."""
    with context.expect_page() as opened:
        page.get_by_role("link", name="approve it on the practice phone").click()
    handset = opened.value
    handset.set_viewport_size(PHONE)
    expect(handset.get_by_role("button", name="Continue")).to_be_visible()
    seen(handset, "phone-account")
    handset.get_by_role("radio", name=re.compile(re.escape(account.vpa))).check()
    handset.get_by_role("button", name="Continue").click()
    expect(handset.get_by_role("heading", level=1, name="Approve payment")).to_be_visible()
    return handset


def approve(handset: Page, pin: str) -> None:
    """Type the PIN and pay."""
    handset.get_by_label("UPI PIN").fill(pin)
    handset.get_by_role("button", name=re.compile("^Pay ")).click()


def pay(context: BrowserContext, page: Page, account: Account) -> None:
    """Approve what the checkout asks for, until it is paid."""
    paid = page.get_by_role("heading", level=1, name="Paid. Thank you!")
    approve_until(context, page, account, paid).close()


def approve_until(context: BrowserContext, page: Page, account: Account, told: Locator) -> Page:
    """Approve what the checkout asks for, until it says `told`; once more when a bank refused. The phone, to be closed."""
    refused = page.get_by_role("alert").filter(has_text=REFUSED)
    for _ in range(TRIES):
        handset = phone(context, page, account)
        approve(handset, account.pin)
        page.bring_to_front()  # a tab that nobody looks at does not listen
        expect(told.or_(refused)).to_be_visible(timeout=SETTLED_MS)
        if not refused.is_visible():
            return handset
        handset.close()
        page.get_by_role("button", name="Show a new QR code").click()
    raise AssertionError(f"{account.vpa} was refused {TRIES} times")
