"""axe-core's rules for WCAG 2.2 A and AA, put to a page as it stands."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, ViewportSize

from .browser import DESK, PHONE

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PACKAGE = Path(__file__).with_name("axe")
SCREENS: dict[str, ViewportSize] = {"desk": DESK, "phone": PHONE}
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def script(folder: Path) -> str:
    """axe-core, as package-lock.json pins it, fetched into an empty folder."""
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


def wider_than_the_screen(page: Page) -> bool:
    """Whether a reader has to move the page to and fro."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def broken_anywhere(page: Page, axe: str, *, opened: bool = True) -> dict[str, list[str]]:
    """What is wrong by day and by night, at desk and on a phone; unless told otherwise with all that can be opened open.

    Colours do not fade meanwhile, or axe would read one that is on its way. Afterwards it is day, on the screen it was.
    """
    before, found = page.viewport_size, dict[str, list[str]]()
    if opened:
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if broken := broken_rules(page, axe):
                found[f"{screen}, {scheme}"] = broken
        if wider_than_the_screen(page):
            found[screen] = ["is wider than the screen"]
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    if before:
        page.set_viewport_size(before)
    return found
