"""Whether everybody can use the pages: axe-core's rules for WCAG 2.2 A and AA, by day and by night, at desk and on a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from .browser import DESK, PHONE, Complaints, visit

pytestmark = pytest.mark.journey

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PACKAGE = Path(__file__).with_name("axe")
SCREENS = {"desk": DESK, "phone": PHONE}


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script, as package-lock.json pins it."""
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def broken_rules(page: Page, axe: str) -> list[str]:
    """Each broken rule with the elements that break it."""
    page.evaluate(axe)
    told = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})")
    assert len(told["passes"]) > 10, "axe looked at next to nothing"
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in told["violations"]]


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
