"""The second wall: HTML that content should have cleaned does nothing on web's pages, because their policy forbids it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Dialog, Page, Route, sync_playwright

from services.web.app import create_app
from services.web.settings import Settings
from services.web.tests.conftest import given
from services.web.tests.content_double import ContentDouble, CourseDouble
from services.web.tests.switchboard import Switchboard

from .browser import PATIENCE_MS, launch

pytestmark = pytest.mark.journey

# Each tries to set `window.ran`, to open a dialog, or to reach another host.
HOSTILE = """
<script>window.ran = "script element"</script>
<script src="https://evil.example/x.js"></script>
<img src="x" onerror="window.ran = 'error handler'">
<svg onload="window.ran = 'svg handler'"></svg>
<iframe srcdoc="<script>parent.ran = 'frame'</script>"></iframe>
<object data="data:text/html,<script>alert(1)</script>"></object>
<base href="https://evil.example/">
<link rel="stylesheet" href="https://evil.example/x.css">
<style>body { background: url("https://evil.example/leak") }</style>
<p style="position: fixed; inset: 0; background: red" id="cover">Covered</p>
<a id="link" href="javascript:window.ran = 'script address'">Link</a>
<form action="https://evil.example/take"><button id="take">Send</button></form>
<video src="https://evil.example/x.mp4" autoplay></video>
"""


@pytest.fixture
def hostile_lesson() -> Iterator[str]:
    """Web on a port of its own, told a hostile lesson by content's double; yields the lesson's address."""
    course = CourseDouble("hostile", "Hostile", {"All": ["lesson"]}, html=HOSTILE)
    network = Switchboard({"content": ContentDouble([course]).transport()})
    app = create_app(Settings(**given(log_level="error")), transport=network)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/courses/hostile/lessons/lesson"
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        opened = browser.new_page()
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        browser.close()


def test_hostile_html_neither_runs_nor_reaches_out_nor_covers_the_page(
    hostile_lesson: str, page: Page
) -> None:
    reached: list[str] = []
    dialogs: list[str] = []

    def refuse(route: Route) -> None:
        reached.append(route.request.url)
        route.abort()

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.route(lambda url: not url.startswith(("http://127.0.0.1", "data:", "about:")), refuse)
    page.on("dialog", note)
    page.goto(hostile_lesson)
    page.wait_for_load_state("networkidle")
    page.locator("#link").click(no_wait_after=True)
    assert page.evaluate("window.ran") is None
    assert page.locator("#cover").evaluate("(cover) => getComputedStyle(cover).position") == "static"
    with page.expect_console_message(lambda message: "form-action" in message.text):
        page.locator("#take").click(no_wait_after=True)
    assert page.url == hostile_lesson
    assert (reached, dialogs) == ([], [])
