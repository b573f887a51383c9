"""Chromium as a learner's browser, and everything it complains about."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    ViewportSize,
)

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / ".state" / "test-artifacts"
SCREENS = ROOT / "docs" / "screens"
FLAGS = [
    "--no-sandbox",  # the tests run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=800)
PATIENCE_MS = 15_000
FADING_MS = 150
"""In which something that fades looks different."""
ABORTED = "net::ERR_ABORTED"
ANSWERED = "Failed to load resource: the server responded with a status of "


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium, headless."""
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing: apt-get install chromium"
    return playwright.chromium.launch(executable_path=chromium, args=FLAGS)


@dataclass
class Complaints:
    """What a page would make a developer frown at: errors, refused code, failed or foreign requests."""

    origin: str
    heard: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        """To all pages of a context, those included that a page opens, from the first request on."""
        context.on("console", self._said)
        context.on("weberror", lambda told: self._note(True, str(told.error)))
        context.on("requestfailed", self._failed)
        context.on(
            "request", lambda request: self._note(not self._ours(request.url), f"foreign: {request.url}")
        )
        context.on(
            "response", lambda answer: self._note(answer.status >= 400, f"{answer.status} {answer.url}")
        )

    def expect(self, status: int, path: str) -> None:
        """This journey is answered so at a path, in which `*` is any part: that is no complaint, and is missed otherwise."""
        self.expected.append(f"{status} {self.origin}{path}")

    def settle(self) -> None:
        """Nothing was heard but what was expected, and all of that; the next journey begins anew."""
        heard, expected = set(self.heard), self.expected.copy()
        self.heard.clear()
        self.expected.clear()
        missed = [one for one in expected if not fnmatch.filter(heard, one)]
        heard.difference_update(*(fnmatch.filter(heard, one) for one in expected))
        assert not heard, f"pages complained: {sorted(heard)}"
        assert not missed, f"expected, and never heard: {missed}"

    def _said(self, message: ConsoleMessage) -> None:
        """Of an answer that is an error Chromium speaks as well, without saying where; the answer was heard itself."""
        self._note(
            message.type in ("error", "warning") and not message.text.startswith(ANSWERED), message.text
        )

    def _failed(self, request: Request) -> None:
        """Going on to the next page aborts what the last one still loaded; that is no failure."""
        self._note(request.failure != ABORTED, f"{request.url}: {request.failure}")

    def _ours(self, url: str) -> bool:
        return url.startswith(("data:", "blob:")) or urlsplit(url).netloc == urlsplit(self.origin).netloc

    def _note(self, wrong: bool, text: str) -> None:
        if wrong:
            self.heard.append(text)


def picture(page: Page, name: str, *, whole: bool = False, still: bool = False) -> None:
    """Keep what the page looks like: in docs/screens when SUUUPRA_SCREENS is set, else with the test's artifacts.

    `whole`: down to its end, not only what the window shows. `still`: once nothing fades any more, what the browser
    lays over a part that was touched included.
    """
    folder = SCREENS if os.environ.get("SUUUPRA_SCREENS") else ARTIFACTS
    folder.mkdir(parents=True, exist_ok=True)
    shot = page.screenshot(full_page=whole)
    while still:
        page.wait_for_timeout(FADING_MS)
        before, shot = shot, page.screenshot(full_page=whole)
        still = shot != before
    (folder / f"{name}.png").write_bytes(shot)


@contextmanager
def visit(context: BrowserContext, name: str) -> Iterator[Page]:
    """A new page, pictured under `name` when the test fails on it."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    try:
        yield page
    except Exception:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
        raise
    finally:
        page.close()
