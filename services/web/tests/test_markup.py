"""Every page: landmarks, names, no inline code or style, assets that may be kept for ever."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import yaml

from services.web.tests.content_double import ContentDouble
from services.web.tests.markup import one, tree

PAGES = ["/", "/?q=nothing", "/courses/python", "/courses/python/lessons/appetite", "/missing", "/_ui/guide"]

PUPILS = 400


@pytest.fixture(params=PAGES)
async def page(request: pytest.FixtureRequest, browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.get(request.param)


async def test_a_page_has_its_landmarks_a_skip_link_and_one_first_heading(page: httpx.Response) -> None:
    root = tree(page)
    assert one(root, "html").attributes["lang"]
    for landmark in ("body > header", "body > main#main", "body > footer", "nav[aria-label=Site]"):
        assert len(root.css(landmark)) == 1, landmark
    assert root.css("body a")[0].attributes["href"] == "#main"
    assert len(root.css("h1")) == 1
    assert one(root, "title").text()


async def test_headings_of_a_page_skip_no_level(page: httpx.Response) -> None:
    levels = [int(str(node.tag)[1]) for node in tree(page).css("h1, h2, h3, h4")]
    assert all(after <= before + 1 for before, after in pairwise(levels))


async def test_ids_are_unique_and_every_control_has_a_name(page: httpx.Response) -> None:
    root = tree(page)
    ids = [node.attributes["id"] for node in root.css("[id]")]
    assert len(ids) == len(set(ids))
    labelled = {node.attributes["for"] for node in root.css("label")}
    controls = root.css("input:not([type=hidden])")
    assert {node.attributes["id"] for node in controls} <= labelled
    assert all(node.text().strip() or "aria-label" in node.attributes for node in root.css("a, button"))


async def test_nothing_inline_and_nothing_from_elsewhere(page: httpx.Response) -> None:
    root = tree(page)
    assert root.css("style, [style], [onclick], [onload], script:not([src])") == []
    loaded = [node.attributes.get("src") for node in root.css("script, img")]
    loaded += [node.attributes.get("href") for node in root.css("link[rel=stylesheet], link[rel=icon]")]
    assert all(re.fullmatch(r"/_ui/[a-z]+\.[0-9a-f]{12}\.[a-z]+", str(url)) for url in loaded)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


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
    burst = {route["path"]: route["limit"]["burst"] for route in routes}
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
