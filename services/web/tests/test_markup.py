"""Every page: landmarks, names, no inline code or style, assets that may be kept for ever."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml

from services.web.tests.content_double import ContentDouble
from services.web.tests.markup import RULES, Rule, tree

PAGES = ["/", "/?q=nothing", "/courses/python", "/courses/python/lessons/appetite", "/missing", "/_ui/guide"]

PUPILS = 400


@pytest.fixture(params=PAGES)
async def page(request: pytest.FixtureRequest, browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.get(request.param)


@pytest.mark.parametrize("rule", RULES)
async def test_every_page_follows_the_rules_of_pages(page: httpx.Response, rule: Rule) -> None:
    rule(page)


async def test_what_a_page_loads_is_there_and_may_be_kept_for_ever(
    page: httpx.Response, browser: httpx.AsyncClient
) -> None:
    for node in tree(page).css("link[rel=stylesheet], link[rel=icon], script"):
        asset = await browser.get(str(node.attributes.get("href") or node.attributes.get("src")))
        assert asset.status_code == 200
        assert "immutable" in asset.headers["cache-control"]


async def test_a_whole_school_behind_one_address_may_open_a_page_at_once(browser: httpx.AsyncClient) -> None:
    manifest = Path(__file__).parents[3] / "manifests" / "services" / "web.yaml"
    routes = yaml.safe_load(manifest.read_text())["spec"]["routes"]
    burst = {route["path"]: min(limit["burst"] for limit in route["limits"]) for route in routes}
    loaded = tree(await browser.get("/")).css("link[rel=stylesheet], link[rel=icon], script")
    assert burst["/"] >= PUPILS
    assert burst["/_ui"] >= PUPILS * len(loaded)


async def test_what_content_tells_is_escaped_outside_the_lesson(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    content.courses[0].title = "<script>alert('title')</script>"
    for path in ("/", "/courses/python", "/courses/python/lessons/appetite"):
        assert "<script>alert" not in (await browser.get(path)).text


async def test_robots_and_favicon_are_there(browser: httpx.AsyncClient) -> None:
    assert "User-agent" in (await browser.get("/robots.txt")).text
    icon = await browser.get("/favicon.ico", follow_redirects=True)
    assert icon.headers["content-type"] == "image/svg+xml"
