"""/mail shows a developer what the local mail server took, and is nowhere else."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from services.notifications.api.mailbox import linked
from services.notifications.app import create_app
from services.notifications.settings import Settings
from suuupra.settings import example
from suuupra.testing.services import calling

LETTER = {
    "id": 7,
    "at": "2026-01-01T00:00:00Z",
    "sender": "no-reply@suuupra.example",
    "recipients": ["asha@example.org"],
    "subject": "<b>Verify</b>",
    "message_id": "<a@suuupra.example>",
    "copies": 2,
    "headers": [["Subject", "<b>Verify</b>"], ["To", "asha@example.org"]],
    "text": "Open http://localhost:8080/account/verify?token=abc, please.\n<script>alert(1)</script>",
    "html": "<html><head><title>x</title></head><body><script>alert(1)</script><a href='/x'>x</a></body></html>",
}


class SinkDouble:
    """The sink's API over one letter; `away` answers nothing."""

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = [LETTER]
        self.away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused")
        if request.method == "DELETE":
            self.letters = []
        if request.url.path == "/api/messages":
            to = request.url.params.get("to")
            shown = [it for it in self.letters if to is None or to in it["recipients"]]
            return httpx.Response(200, json={"messages": shown})
        found = [it for it in self.letters if request.url.path == f"/api/messages/{it['id']}"]
        return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={})


@pytest.fixture
def sink() -> SinkDouble:
    return SinkDouble()


def settings(**values: Any) -> Settings:
    return example(Settings, service="notifications", **values)


@pytest.fixture
async def browser(sink: SinkDouble) -> AsyncIterator[httpx.AsyncClient]:
    made = create_app(settings(MAIL_SINK_URL="http://sink"), transport=httpx.MockTransport(sink))
    async with calling(made, accept="text/html") as client:
        yield client


async def test_mail_is_listed_by_recipient_and_nothing_in_it_is_markup(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/mail")
    assert page.status_code == 200
    assert "&lt;b&gt;Verify&lt;/b&gt;" in page.text
    assert "2 copies" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Verify" not in (await browser.get("/mail", params={"to": "ravi@example.org"})).text
    assert "Verify" in (await browser.get("/mail", params={"to": "asha@example.org"})).text


async def test_a_mail_is_shown_with_its_links_and_its_html_in_a_frame_where_nothing_runs(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("/mail/7")
    assert '<a href="http://localhost:8080/account/verify?token=abc">' in page.text
    assert "<script>alert" not in page.text
    assert 'src="/mail/7/html"' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    framed = await browser.get("/mail/7/html")
    policy = framed.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert '<base target="_top">' in framed.text


async def test_mail_is_forgotten_by_a_form_of_ours_alone(
    browser: httpx.AsyncClient, sink: SinkDouble
) -> None:
    foreign = await browser.post("/mail/clear", headers={"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, len(sink.letters)) == (403, 1)
    done = await browser.post("/mail/clear", headers={"Sec-Fetch-Site": "same-origin"})
    assert (done.status_code, done.headers["location"], sink.letters) == (303, "/mail", [])
    assert "No mail yet" in (await browser.get("/mail")).text
    assert (await browser.get("/mail/7")).status_code == 404


async def test_a_sink_that_is_away_is_said(browser: httpx.AsyncClient, sink: SinkDouble) -> None:
    sink.away = True
    page = await browser.get("/mail")
    assert page.status_code == 503
    assert "away for a moment" in page.text


@pytest.mark.parametrize(
    "values",
    [
        {"profile": "staging", "MAIL_SINK_URL": "http://sink"},
        {"profile": "production", "MAIL_SINK_URL": "http://sink"},
        {"profile": "local"},
    ],
)
async def test_other_peoples_mail_is_shown_on_a_developers_machine_alone(values: dict[str, str]) -> None:
    async with calling(create_app(settings(**values))) as client:
        for path in ("/mail", "/mail/7", "/mail/7/html"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <b> & c", "a &lt;b&gt; &amp; c"),
        (
            "see http://x.test/a?b=1&c=2.",
            'see <a href="http://x.test/a?b=1&amp;c=2">http://x.test/a?b=1&amp;c=2</a>.',
        ),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('http://x.test/"onclick="y', '<a href="http://x.test/">http://x.test/</a>&#34;onclick=&#34;y'),
        ("", ""),
    ],
)
def test_plain_text_gets_links_and_nothing_else(text: str, shown: str) -> None:
    assert str(linked(text)) == shown


def test_the_document_of_the_api_names_no_page() -> None:
    make: Callable[..., Any] = create_app
    paths = make(settings(MAIL_SINK_URL="http://sink")).openapi()["paths"]
    assert not [path for path in paths if path.startswith("/mail")]
