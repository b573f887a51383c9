"""What takes its time: a bank that answers late, and a payer who never answers.

For these the platform is arranged: the merchant's bank answers every leg late, the rail asks it half a minute later
instead of three seconds, and a QR code is good for half a minute instead of five. Payments calls an attempt unsure after
twice the rail's own time for it, which is half a minute as well: so long the page says "confirming".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.cluster.banks import RAIL, Account, banks
from tests.cluster.kube import WORKLOADS, Kube, eventually

from .browser import picture, visit
from .people import approve_until, fill_cart, pay_button

pytestmark = [pytest.mark.journey, pytest.mark.slow]

COURSE = "The Python Tutorial"
LATE = {"lateReplyShare": 1, "timeoutShare": 0, "failureShare": 0, "lateBy": "60s"}
FIRST_CHECK = 900
"""Seconds, before the scale of the demonstration's rail, which is 30."""
ATTEMPT_SECONDS = 30
SWITCH, PSP = "upi-core", "payments"
ROLLED_OUT_WITHIN = 180.0
EXPIRES_WITHIN_MS = (ATTEMPT_SECONDS + 15) * 1000
RESOLVED_WITHIN_MS = 60_000
SILENT = re.compile(r"A bank has not answered yet.*Do not pay again", re.DOTALL)


def patched(kube: Kube, kind: str, name: str, spec: Mapping[str, Any]) -> None:
    kube.run("patch", kind, name, "-n", WORKLOADS, "--type=merge", "-p", json.dumps({"spec": spec}))


def arrange(
    kube: Kube, code: str, profile: Mapping[str, Any], first_check: int | None, life: int | None
) -> None:
    """Give a bank this profile, the rail its first check and codes their life (None: their own); wait until it is so."""
    rail = kube.get("paymentrail", RAIL)["spec"]
    after = [{**one, "profile": profile} if one["code"] == code else one for one in rail["participants"]]
    before = {name: kube.get("suuupraservice", name)["spec"]["env"] for name in (SWITCH, f"bank-{code}")}
    patched(kube, "paymentrail", RAIL, {"participants": after, "rulebook": {"firstCheckAfter": first_check}})
    patched(kube, "suuupraservice", PSP, {"env": {"ATTEMPT_SECONDS": None if life is None else str(life)}})

    def told() -> bool:
        return all(kube.get("suuupraservice", name)["spec"]["env"] != env for name, env in before.items())

    eventually(told, ROLLED_OUT_WITHIN, "switch and bank are told")
    for name in (SWITCH, f"bank-{code}", PSP):
        kube.await_ready(name, ROLLED_OUT_WITHIN)
    eventually(lambda: not leaving(kube), ROLLED_OUT_WITHIN, "pods of before have drained")


def leaving(kube: Kube) -> list[str]:
    """Pods that are on their way out: what they still answer is no journey's to judge."""
    pods = kube.items("pods")
    return [pod["metadata"]["name"] for pod in pods if pod["metadata"].get("deletionTimestamp")]


@pytest.fixture(scope="module", autouse=True)
def _slow_bank_and_short_codes(kube: Kube, elsewhere: Account) -> Iterator[None]:
    """A merchant's bank that answers late, and codes that are soon over, until the module's tests are done."""
    code = banks(kube)[0].code
    rail = kube.get("paymentrail", RAIL)["spec"]
    own = next(one["profile"] for one in rail["participants"] if one["code"] == code)
    try:
        arrange(kube, code, own | LATE, FIRST_CHECK, ATTEMPT_SECONDS)
        yield
    finally:
        arrange(kube, code, own, rail["rulebook"].get("firstCheckAfter"), None)


def test_a_bank_that_answers_late_is_waited_for_and_the_order_is_paid_in_the_end(
    context: BrowserContext, platform_url: str, elsewhere: Account
) -> None:
    """The payer's bank is another one, so that only the credit is at the late one."""
    with visit(context, "deemed") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        silent = page.get_by_role("status").filter(has_text=SILENT)
        handset = approve_until(context, page, elsewhere, silent)
        picture(page, "pay-bank-silent")
        handset.reload()
        expect(handset.get_by_role("heading", level=1, name="Being checked")).to_be_visible()
        picture(handset, "phone-being-checked", whole=True)
        expect(page.get_by_role("button", name=re.compile("QR code"))).to_have_count(0)
        expect(page.get_by_role("heading", level=1, name="Paid. Thank you!")).to_be_visible(
            timeout=RESOLVED_WITHIN_MS
        )
        picture(page, "pay-bank-silent-then-paid")


def test_a_code_that_nobody_approves_ends_and_another_can_be_shown(
    context: BrowserContext, platform_url: str
) -> None:
    with visit(context, "never-answered") as page:
        fill_cart(page, platform_url, COURSE)
        pay_button(page)
        expect(page.get_by_role("alert")).to_contain_text(
            "The QR code was not used in time", timeout=EXPIRES_WITHIN_MS
        )
        picture(page, "pay-expired")
        page.get_by_role("button", name="Show a new QR code").click()
        expect(page.locator(".qr img")).to_be_visible()
