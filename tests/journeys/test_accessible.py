"""Whether everybody can use the pages: axe-core's rules for WCAG 2.2 A and AA, by day and by night, at desk and on a phone."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser

from .accessible import SCREENS, broken_rules
from .browser import Complaints, visit

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_no_page_breaks_a_rule_of_accessibility(
    browser: Browser, axe: str, platform_url: str, screen: str, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme)
    found: dict[str, list[str]] = {}
    with visit(context, Complaints(platform_url), f"accessible-{screen}-{scheme}") as page:

        def look(name: str) -> None:
            if broken := broken_rules(page, axe):
                found[name] = broken

        page.goto(platform_url)
        look("catalogue")
        page.get_by_role("link", name="The Python Tutorial", exact=True).click()
        page.wait_for_url("**/courses/*")
        look("course")
        page.get_by_role("link", name="Read a lesson for free").click()
        page.wait_for_url("**/lessons/*")
        look("lesson")
        page.goto(page.url.split("/lessons/")[0])
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        page.get_by_role("link", name=re.compile("^Locked: ")).last.click()
        page.wait_for_url("**/lessons/*")
        look("locked")
        page.get_by_role("button", name=re.compile("^Add .*to cart$")).first.click()
        page.wait_for_url("**/cart")
        look("cart")
        page.goto(f"{platform_url}/courses/no-such-course")
        look("missing")
    assert found == {}
