"""What an application gets with the look: hashed files, page headers, error pages, course art, safe templates."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import TemplateAssertionError, UndefinedError

from suuupra import errors, ui
from suuupra.app import create
from suuupra.settings import ServiceSettings
from suuupra.ui.art import art
from suuupra.ui.icons import icon
from suuupra.ui.templating import capital, day, plural

PAGE = {"Accept": "text/html,*/*;q=0.8"}
STATUSES = [400, 401, 403, 404, 405, 410, 413, 422, 429, 500, 502, 503, 504]


def application(pages: Path) -> FastAPI:
    """An application with one page, one fault and files of its own."""
    app = create(ServiceSettings(service="sample"))
    ui.mount(app, pages / "static", guide=True)
    ui.error_pages(app, ui.templates(pages))

    @app.get("/page")
    async def page() -> Response:
        return HTMLResponse("<!doctype html><title>Page</title>")

    @app.get("/json")
    async def json() -> dict[str, str]:
        return {"a": "b"}

    @app.get("/own-policy")
    async def own_policy() -> Response:
        return HTMLResponse("", headers={"Content-Security-Policy": "default-src 'self'"})

    @app.get("/locked")
    async def locked() -> Response:
        fix = errors.FieldError("query.a", "is wrong", "do <b>this</b> instead")
        raise errors.Forbidden("Not you.", errors=[fix], headers={"X-Kept": "yes"})

    @app.get("/broken")
    async def broken() -> Response:
        raise RuntimeError("the password is hunter2")

    @app.post("/form")
    async def form(request: Request) -> Response:
        ui.require_same_origin(request)
        raise errors.Unavailable("Away.")

    return app


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "own.css").write_text("b { color: red }")
    (tmp_path / "hello.html").write_text("<p>{{ name }}</p>{{ asset('own.css') }}")
    return tmp_path


@pytest_asyncio.fixture
async def client(pages: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(pages), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sample", headers=PAGE) as client:
        yield client


async def test_a_files_name_carries_its_hash_and_is_kept_for_a_year(client: httpx.AsyncClient) -> None:
    url = ui.assets_of().url("suuupra.css")
    assert re.fullmatch(r"/_ui/suuupra\.[0-9a-f]{12}\.css", url)
    response = await client.get(url)
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_hash_of_another_version_gets_todays_file_and_is_not_kept(client: httpx.AsyncClient) -> None:
    response = await client.get("/_ui/suuupra.000000000000.css")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["suuupra.css", "../app.py", "..%2f..%2fapp.py", "none.000000000000.css", ""]
)
async def test_nothing_but_the_static_files_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/_ui/{path}")).status_code == 404


async def test_a_page_carries_the_policy_and_an_api_answer_does_not(client: httpx.AsyncClient) -> None:
    page, answer = await client.get("/page"), await client.get("/json")
    policy = page.headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "same-origin"
    assert "content-security-policy" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_page_may_bring_a_policy_of_its_own(client: httpx.AsyncClient) -> None:
    assert (await client.get("/own-policy")).headers["content-security-policy"] == "default-src 'self'"


async def test_a_problem_is_a_page_for_browsers_with_its_status_headers_and_fix(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/locked")
    assert (response.status_code, response.headers["x-kept"]) == (403, "yes")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-length"] == str(len(response.content))
    assert "Not you." in response.text
    assert "Do &lt;b&gt;this&lt;/b&gt; instead" in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/problem+json, text/html"])
async def test_a_problem_stays_json_for_api_clients(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get("/locked", headers={"Accept": accept})
    assert response.json()["title"] == errors.Forbidden.title


async def test_a_fault_shows_its_number_and_nothing_of_its_cause(client: httpx.AsyncClient) -> None:
    response = await client.get("/broken", headers={"x-request-id": "request-number-1"})
    assert response.status_code == 500
    assert "request-number-1" in response.text
    assert "hunter2" not in response.text


async def test_trying_again_after_a_form_leads_to_its_page_and_never_to_another_site(
    client: httpx.AsyncClient,
) -> None:
    ours = {"Sec-Fetch-Site": "same-origin"}
    back = await client.post("/form", headers={**ours, "Referer": "http://sample/page?x=1"})
    assert 'href="/page"' in back.text
    elsewhere = await client.post("/form", headers={**ours, "Referer": "https://evil.example/page"})
    assert "/page" not in elsewhere.text


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_document_stands_alone_and_its_policy_allows_exactly_its_style(status: int) -> None:
    page = ui.error_document(status)
    assert page == ui.error_document(status)
    assert not re.search(r"<(script|link|img)|https?://", page)
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/=]{44}'", page)
    assert len(page) < 8000


def test_course_art_follows_from_its_seed_and_brings_no_ids() -> None:
    assert art("a") == art("a")
    assert len({art(str(number)) for number in range(50)}) == 50
    assert " id=" not in art("a")
    assert len(art("a")) < 4000


def test_templates_escape_and_refuse_names_that_are_not_there(pages: Path) -> None:
    template = ui.environment(pages).get_template("hello.html")
    shown = template.render(name="<script>")
    assert "&lt;script&gt;" in shown
    assert re.search(r"/_ui/own\.[0-9a-f]{12}\.css", shown)
    with pytest.raises(UndefinedError):
        template.render()
    with pytest.raises(KeyError):
        icon("nothing")


def test_dates_and_counts_are_written_for_people() -> None:
    moment = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert day(moment) == '<time datetime="2026-11-23">23 November 2026</time>'
    assert [plural(count, "lesson") for count in (0, 1, 2, 1200)] == [
        "0 lessons",
        "1 lesson",
        "2 lessons",
        "1,200 lessons",
    ]
    assert plural(2, "quiz", "quizzes") == "2 quizzes"


def test_what_becomes_a_sentence_keeps_its_capitals(pages: Path) -> None:
    assert [capital(words) for words in ("put it in INR", "ask", "")] == ["Put it in INR", "Ask", ""]
    environment = ui.environment(pages)
    assert environment.from_string("{{ fix | capital }}").render(fix="put it in INR") == "Put it in INR"
    with pytest.raises(TemplateAssertionError, match="capitalize"):
        environment.from_string("{{ fix | capitalize }}")
