"""What happens behind a payment, seen from the learner's page: a bank that is silent, and money that goes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.cluster.kube import WORKLOADS, Kube

from .browser import Complaints, launch, picture, visit
from .people import MEERA, Account, Learner, approve, confirm, fill_cart, pay_button, phone, sign_up
from .staff import finance_token, refund

pytestmark = pytest.mark.journey

COURSE = "The Python Tutorial"
ELSEWHERE = Account("meera@banyan", "1234")
"""Pays from another bank than the merchant's, so that only the credit is at the silent one."""
ROLLED_OUT_WITHIN = 180.0
RESOLVED_WITHIN_MS = 120_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def complaints(platform_url: str) -> Complaints:
    return Complaints(platform_url)


@contextmanager
def behaving(kube: Kube, code: str, **profile: Any) -> Iterator[None]:
    """A bank with another profile, until the block ends."""
    rail = kube.get("paymentrail", "upi")
    before = rail["spec"]["participants"]
    after = [{**one, "profile": one["profile"] | profile} if one["code"] == code else one for one in before]

    def become(participants: list[dict[str, Any]]) -> None:
        patch = json.dumps({"spec": {"participants": participants}})
        kube.run("patch", "paymentrail", "upi", "-n", WORKLOADS, "--type=merge", "-p", patch)
        kube.run("rollout", "status", f"deployment/bank-{code}", "-n", WORKLOADS, "--timeout=100s")
        kube.await_ready(f"bank-{code}", ROLLED_OUT_WITHIN)

    become(after)
    try:
        yield
    finally:
        become(before)


@pytest.mark.slow
def test_a_bank_that_answers_late_is_waited_for_and_the_order_is_paid_in_the_end(
    browser: Browser, complaints: Complaints, platform_url: str, kube: Kube
) -> None:
    context, learner = browser.new_context(), Learner()
    with (
        behaving(kube, "asha", lateReplyShare=1, timeoutShare=0, failureShare=0),
        visit(context, complaints, "deemed") as page,
    ):
        page.goto(platform_url)
        sign_up(page, learner)
        confirm(page, learner)
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        handset = phone(context, page, ELSEWHERE)
        approve(handset, ELSEWHERE.pin)
        page.bring_to_front()
        waiting = page.get_by_text("Do not pay again")
        expect(waiting).to_be_visible()
        picture(page, "pay-bank-silent")
        expect(page.get_by_role("button", name=re.compile("QR code"))).to_have_count(0)
        expect(page.get_by_role("heading", level=1, name="Paid. Thank you!")).to_be_visible(
            timeout=RESOLVED_WITHIN_MS
        )
    context.close()


def test_money_that_goes_back_is_shown_and_the_course_is_locked_again(
    browser: Browser, complaints: Complaints, platform_url: str, kube: Kube
) -> None:
    context, learner = browser.new_context(), Learner()
    with visit(context, complaints, "refunded") as page:
        page.goto(platform_url)
        sign_up(page, learner)
        confirm(page, learner)
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        order = page.url.rsplit("/", 1)[1]
        handset = phone(context, page, MEERA)
        approve(handset, MEERA.pin)
        page.bring_to_front()
        expect(page.get_by_role("heading", level=1, name="Paid. Thank you!")).to_be_visible()
        refund(platform_url, finance_token(kube), order)
        page.goto(f"{platform_url}/orders/{order}")
        for _ in range(60):
            if page.get_by_text("Refunded", exact=True).count():
                break
            page.wait_for_timeout(250)
            page.reload()
        expect(page.get_by_text("Refunded", exact=True)).to_be_visible()
        picture(page, "order-refunded")
        page.goto(platform_url)
        page.get_by_role("link", name=COURSE, exact=True).first.click()
        expect(page.get_by_role("button", name=re.compile("^Add (.* )?to cart$")).first).to_be_visible()
    context.close()
