"""What a visitor meets when something is missing or away, and that content's moods are not passed on raw."""

from __future__ import annotations

import httpx
import pytest

from services.web.clients.calling import ATTEMPTS
from services.web.tests.content_double import ContentDouble
from services.web.tests.markup import one, tree


def heading(response: httpx.Response) -> str:
    return one(tree(response), "h1").text()


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/courses/nothing",
        "/courses/python/lessons/nothing",
        "/courses/..%2Finternal",
        "/_ui/x.css",
    ],
)
async def test_what_is_not_there_is_told_in_the_same_look(browser: httpx.AsyncClient, path: str) -> None:
    response = await browser.get(path)
    assert response.status_code == 404
    assert heading(response) == "We could not find that page"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"


async def test_api_clients_keep_problem_json(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/courses/nothing", headers={"Accept": "application/json"})
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("fault", [503, 502, 500, httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])
async def test_while_content_is_away_the_page_says_to_wait_and_offers_to_try_again(
    browser: httpx.AsyncClient, content: ContentDouble, fault: int | Exception
) -> None:
    content.failing["/v1"] = fault
    response = await browser.get("/", params={"q": "sql"})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert one(tree(response), ".empty a").attributes["href"] == "/?q=sql"


async def test_a_passing_fault_is_asked_again_and_not_more_than_a_few_times(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    content.failing["/v1"] = 503
    await browser.get("/")
    assert len(content.asked("GET", "/v1/courses")) == ATTEMPTS


async def test_a_refusal_is_not_asked_again(browser: httpx.AsyncClient, content: ContentDouble) -> None:
    content.failing["/v1"] = 422
    refused = await browser.get("/", params={"cursor": "broken"})
    assert refused.status_code == 400
    assert "start from the catalogue" in one(tree(refused), ".empty li").text().lower()
    assert len(content.asked("GET", "/v1/courses")) == 1


async def test_too_many_requests_are_passed_on_with_the_wait(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    content.failing["/v1"] = 429
    response = await browser.get("/")
    assert (response.status_code, heading(response)) == (429, "One moment, please")
    assert response.headers["retry-after"]


async def test_a_slug_cannot_lead_to_another_resource_of_content(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    await browser.get("/courses/python%3Fadmin=1")
    await browser.get("/courses/%2E%2E")
    assert all(request.url.raw_path.startswith(b"/v1/courses/") for request in content.requests)
    assert all(b".." not in request.url.raw_path for request in content.requests)
    assert all(not request.url.query for request in content.requests)


async def test_a_body_where_none_is_needed_is_refused_when_large(
    browser: httpx.AsyncClient, content: ContentDouble
) -> None:
    response = await browser.post(
        "/courses/python/lessons/appetite/complete",
        content=b"x" * 5_000_000,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert (response.status_code, heading(response)) == (413, "That is too large")
    assert content.requests == []


async def test_a_query_too_long_is_refused_in_words(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/", params={"q": "x" * 300})
    assert response.status_code == 422
    assert "200" in one(tree(response), ".empty li").text()
