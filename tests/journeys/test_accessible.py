"""Whether everybody can use the pages: axe-core's rules for WCAG 2.2 A and AA, by day and by night, at desk and on a phone,
where none is wider than its screen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cluster.banks import Account

from .accessible import broken_anywhere
from .browser import DESK, Complaints, visit
from .people import Learner, confirm, fill_cart, open_letter, pay, pay_button, phone, sign_up

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"


@dataclass
class Inspector:
    """Looks at pages, and keeps what was wrong with each."""

    axe: str
    found: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def __call__(self, page: Page, name: str, *, opened: bool = False) -> None:
        if broken := broken_anywhere(page, self.axe, opened=opened):
            self.found[name] = broken


@pytest.fixture
def look(axe: str) -> Inspector:
    return Inspector(axe)


def test_no_page_of_reading_breaks_a_rule_of_accessibility(
    browser: Browser, complaints: Complaints, look: Inspector, platform_url: str
) -> None:
    complaints.expect(403, "/courses/*/lessons/*")
    complaints.expect(404, "/courses/no-such-course")
    with visit(browser.new_context(viewport=DESK), "accessible-reading") as page:
        page.goto(platform_url)
        look(page, "catalogue")
        page.goto(f"{platform_url}/?q=nothing+of+the+kind")
        look(page, "nothing found")
        page.goto(platform_url)
        page.get_by_role("link", name=COURSE, exact=True).click()
        page.wait_for_url("**/courses/*")
        look(page, "course")
        page.get_by_role("link", name="Read a lesson for free").click()
        page.wait_for_url("**/lessons/*")
        look(page, "lesson")
        look(page, "lesson with its contents", opened=True)
        page.goto(page.url.split("/lessons/")[0])
        look(page, "course with its contents", opened=True)
        page.get_by_role("link", name=re.compile("^Locked: ")).last.click()
        page.wait_for_url("**/lessons/*")
        look(page, "locked")
        page.goto(f"{platform_url}/cart")
        look(page, "empty cart")
        page.goto(f"{platform_url}/courses/no-such-course")
        look(page, "missing")
    assert look.found == {}


def test_no_page_of_signing_up_buying_and_paying_breaks_a_rule_of_accessibility(
    browser: Browser, look: Inspector, platform_url: str, learner: Learner, account: Account
) -> None:
    context = browser.new_context(viewport=DESK)
    with visit(context, "accessible-buying") as page:
        page.goto(platform_url)
        sign_up(page, learner, seen=look)
        confirm(page, learner, seen=look)
        fill_cart(page, platform_url, COURSE)
        look(page, "cart")
        pay_button(page)
        order = page.url.rsplit("/", 1)[1]
        look(page, "checkout")
        handset = phone(context, page, account, seen=look)
        look(handset, "phone-pin")
        handset.get_by_role("button", name="Decline").click()
        expect(handset.get_by_role("heading", level=1, name="Declined")).to_be_visible()
        look(handset, "phone-declined")
        handset.close()
        page.bring_to_front()
        expect(page.get_by_role("alert")).to_contain_text("You declined the payment")
        look(page, "checkout-declined")
        page.get_by_role("button", name="Show a new QR code").click()
        pay(context, page, account)
        look(page, "checkout-paid")
        for path in ("learning", "orders", f"orders/{order}", f"orders/{order}/receipt", "account"):
            page.goto(f"{platform_url}/{path}")
            look(page, path.replace(order, "one"))
        open_letter(page, learner, "[Rr]eceipt|[Ii]nvoice")
        look(page, "mail-receipt", opened=True)
        for path in (f"mail?to={learner.email}", "inbox", "phone", f"phone/accounts/{account.vpa}"):
            page.goto(f"{platform_url}/{path}")
            look(page, path)
    context.close()
    assert look.found == {}
